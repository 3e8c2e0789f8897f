# cmake -D EXECUTABLE=... -D LAYER=... -D OUTPUT=... -P list_suites.cmake
# Writes the ctest entries of a GoogleTest executable, one a suite.
execute_process(COMMAND "${EXECUTABLE}" --gtest_list_tests
  OUTPUT_VARIABLE listing COMMAND_ERROR_IS_FATAL ANY TIMEOUT 120)
string(REGEX MATCHALL "(^|\n)[A-Za-z0-9_/]+\\.( +#|\n)" lines "${listing}")

set(script "")
foreach(line IN LISTS lines)
  string(REGEX MATCH "[A-Za-z0-9_/]+" suite "${line}")
  set(name "${LAYER}.${suite}")
  set(labels "${LAYER}")
  set(timeout 600)
  if(suite MATCHES "(^|/)Long")
    list(APPEND labels long)
    set(timeout 7200)
  endif()
  string(APPEND script
    "add_test([==[${name}]==] [==[${EXECUTABLE}]==] --gtest_brief=1 --gtest_filter=${suite}.*)\n"
    "set_tests_properties([==[${name}]==] PROPERTIES LABELS [==[${labels}]==] TIMEOUT ${timeout}\n"
    "  SKIP_RETURN_CODE 77 ENVIRONMENT OMP_WAIT_POLICY=PASSIVE)\n")
endforeach()
file(WRITE "${OUTPUT}" "${script}")
