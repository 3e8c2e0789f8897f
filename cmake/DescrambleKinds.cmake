# Reads the builtin.def of each layer: a line DESCRAMBLE_KIND(name) stands for kinds/name.cpp beside
# it. The C++ registries read the same lines; here only the two directions are held together.
function(descramble_check_kinds source_dir)
  file(GLOB definitions CONFIGURE_DEPENDS "${source_dir}/*/builtin.def"
    "${source_dir}/*/*/builtin.def")
  file(GLOB kind_folders CONFIGURE_DEPENDS "${source_dir}/*/kinds"
    "${source_dir}/*/*/kinds")
  foreach(folder IN LISTS kind_folders)
    get_filename_component(layer_dir "${folder}" DIRECTORY)
    list(APPEND definitions "${layer_dir}/builtin.def")
  endforeach()
  list(REMOVE_DUPLICATES definitions)

  foreach(definition IN LISTS definitions)
    get_filename_component(layer_dir "${definition}" DIRECTORY)
    file(RELATIVE_PATH layer "${source_dir}" "${layer_dir}")
    file(GLOB sources CONFIGURE_DEPENDS "${layer_dir}/kinds/*.cpp")
    set(found "")
    foreach(source IN LISTS sources)
      get_filename_component(name "${source}" NAME_WE)
      list(APPEND found "${name}")
    endforeach()

    set(listed "")
    if(EXISTS "${definition}")
      set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${definition}")
      file(STRINGS "${definition}" lines REGEX "^[ \t]*DESCRAMBLE_KIND\\(")
      foreach(line IN LISTS lines)
        string(REGEX REPLACE "^[ \t]*DESCRAMBLE_KIND\\([ \t]*([A-Za-z0-9_]+).*" "\\1" name "${line}")
        list(APPEND listed "${name}")
      endforeach()
    endif()

    foreach(name IN LISTS listed)
      if(NOT name IN_LIST found)
        message(FATAL_ERROR "src/${layer}/builtin.def lists the kind ${name}, but "
          "src/${layer}/kinds/${name}.cpp does not exist.")
      endif()
    endforeach()
    foreach(name IN LISTS found)
      if(NOT name IN_LIST listed)
        message(FATAL_ERROR "src/${layer}/kinds/${name}.cpp exists, but src/${layer}/builtin.def "
          "has no line DESCRAMBLE_KIND(${name}).")
      endif()
    endforeach()
  endforeach()
endfunction()
