#pragma once

// Everything that a program embeds: models, taps, statistics, objectives, solvers, rotations,
// export.

#include "descramble/basis/basis.h"
#include "descramble/basis/chart.h"
#include "descramble/basis/kinds.h"
#include "descramble/basis/orthogonal.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/core/allocator.h"
#include "descramble/core/error.h"
#include "descramble/core/version.h"
#include "descramble/model/model.h"
#include "descramble/model/snapshot.h"
#include "descramble/objective/jacobian_l1.h"
#include "descramble/objective/jacobian_loss.h"
#include "descramble/objective/loss_objective.h"
#include "descramble/objective/maximum_diagonal.h"
#include "descramble/objective/objective.h"
#include "descramble/objective/quartimax.h"
#include "descramble/objective/smoothness.h"
#include "descramble/solver/solver.h"
#include "descramble/stats/moments.h"
#include "descramble/stats/proportion.h"
#include "descramble/taps/export.h"
#include "descramble/taps/tap.h"
#include "descramble/taps/tap_values.h"
#include "descramble/taps/tapped_model.h"
