# What is installed, in two components. "command": the command, its manual, its completions, and the
# configs and models for a first run. "development": the library in each kind that is built, the
# headers and the package for CMake.
include(CMakePackageConfigHelpers)

# Builds all that is installed.
add_custom_target(descramble_installable)

if(TARGET descramble_command)
  set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME command)
  install(TARGETS descramble_command)
  add_dependencies(descramble_installable descramble_command descramble_manual)
  if(main_kind STREQUAL "shared")
    install(TARGETS descramble_shared LIBRARY NAMELINK_SKIP)
  endif()
  install(DIRECTORY "${DESCRAMBLE_MANUAL_DIR}/man1" DESTINATION "${CMAKE_INSTALL_MANDIR}")
  foreach(shell IN ITEMS bash-completion zsh fish)
    install(DIRECTORY "${DESCRAMBLE_MANUAL_DIR}/${shell}"
      DESTINATION "${CMAKE_INSTALL_DATAROOTDIR}")
  endforeach()
  install(DIRECTORY configs models DESTINATION "${CMAKE_INSTALL_DATADIR}/descramble")
  install(FILES scripts/environment.sh DESTINATION "${CMAKE_INSTALL_DATADIR}/descramble")
  install(FILES README.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")
  install(FILES "${PROJECT_BINARY_DIR}/INSTALL.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}"
    OPTIONAL)  # scripts/package.sh writes it, for the archive
  install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME copyright)
  foreach(library IN ITEMS d3 plot)
    install(FILES third_party/${library}/LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}"
      RENAME copyright.${library})
  endforeach()
endif()

set(CMAKE_INSTALL_DEFAULT_COMPONENT_NAME development)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/descramble")
foreach(kind IN LISTS library_kinds)
  add_dependencies(descramble_installable descramble_${kind})
  install(TARGETS descramble_${kind} EXPORT descramble_${kind})
  install(EXPORT descramble_${kind} FILE descramble_${kind}.cmake NAMESPACE descramble::
    DESTINATION "${package_dir}")
endforeach()
install(DIRECTORY include/descramble TYPE INCLUDE)
configure_package_config_file(cmake/descrambleConfig.cmake.in descrambleConfig.cmake
  INSTALL_DESTINATION "${package_dir}")
write_basic_package_version_file(descrambleConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES
  cmake/DescrambleTorch.cmake
  "${PROJECT_BINARY_DIR}/descrambleConfig.cmake"
  "${PROJECT_BINARY_DIR}/descrambleConfigVersion.cmake"
  DESTINATION "${package_dir}")
