# cmake -D PROGRAM=... -D EXPECTED=... -P linked_libraries.cmake
# LibTorch's libraries must all be loaded from the folder of the LibTorch that was asked for: a
# libc10 of another version makes a program die at its start. And fmt must not be a library at all,
# since a LibTorch may bring headers of another fmt than the system's.
execute_process(COMMAND ldd "${PROGRAM}" OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY)
file(REAL_PATH "${EXPECTED}" expected)
foreach(library IN ITEMS torch torch_cpu c10)
  if(NOT listing MATCHES "lib${library}\\.so[^ ]* => ([^ ]+)")
    message(FATAL_ERROR "${PROGRAM} does not load lib${library}:\n${listing}")
  endif()
  get_filename_component(folder "${CMAKE_MATCH_1}" DIRECTORY)
  file(REAL_PATH "${folder}" found)
  if(NOT found STREQUAL expected)
    message(FATAL_ERROR "lib${library} is loaded from ${found}, expected ${expected}:\n${listing}")
  endif()
endforeach()

execute_process(COMMAND readelf -d "${PROGRAM}" OUTPUT_VARIABLE needed COMMAND_ERROR_IS_FATAL ANY)
if(needed MATCHES "libfmt")
  message(FATAL_ERROR "${PROGRAM} links libfmt, expected its headers alone:\n${needed}")
endif()
