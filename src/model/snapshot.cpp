#include "descramble/model/snapshot.h"

#include "descramble/model/network.h"

namespace descramble {

Snapshot::Snapshot(const Model& model) : restore_(model.network().keep_state()) {}

}  // namespace descramble
