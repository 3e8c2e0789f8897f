// The suites that walk a registry, once more over registries that have further kinds.

#include "basis/basis_test.cpp"
#include "cli/registry_test.cpp"
#include "data/registry_test.cpp"
#include "data/support.cpp"
#include "objective/registry_test.cpp"
#include "solver/registry_test.cpp"
