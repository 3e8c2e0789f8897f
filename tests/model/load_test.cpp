#include "model/fixtures.h"
