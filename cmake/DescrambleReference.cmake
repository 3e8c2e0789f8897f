# Target `reference`: the reference as HTML in the folder reference/html of the build. Without doxygen
# the target says what to install; nothing else needs it.
find_program(DESCRAMBLE_DOXYGEN doxygen DOC "Makes the reference")
find_program(DESCRAMBLE_REFERENCE_PYTHON3 python3 DOC "Prepares what doxygen reads")

set(reference_dir "${PROJECT_BINARY_DIR}/reference")
if(DESCRAMBLE_DOXYGEN AND DESCRAMBLE_REFERENCE_PYTHON3)
  add_custom_target(reference
    COMMAND "${CMAKE_COMMAND}" -E rm -rf "${reference_dir}"
    COMMAND "${CMAKE_COMMAND}" -E make_directory "${reference_dir}"
    COMMAND "${CMAKE_COMMAND}" -E env
      "DESCRAMBLE_VERSION=${PROJECT_VERSION}" "DESCRAMBLE_REFERENCE_DIR=${reference_dir}"
      "DESCRAMBLE_PYTHON3=${DESCRAMBLE_REFERENCE_PYTHON3}"
      "${DESCRAMBLE_DOXYGEN}" docs/reference/Doxyfile
    COMMAND "${CMAKE_COMMAND}" -E echo "the reference is ${reference_dir}/html/index.html"
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
    VERBATIM)
else()
  add_custom_target(reference
    COMMAND "${CMAKE_COMMAND}" -E echo
      "the reference needs doxygen and python3: apt-get install --no-install-recommends doxygen python3, then configure again"
    COMMAND "${CMAKE_COMMAND}" -E false
    VERBATIM)
endif()
