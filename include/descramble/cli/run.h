#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// Runs the command `descramble` inside this process. `args` are the arguments after the program's
/// name. Results go to `out`, and one line of error to `err`. Returns the exit code: 0 done, 1
/// failed while running (or a certificate that does not hold), 2 wrong use, 130 interrupted.
int run(const std::vector<std::string>& args, std::ostream& out, std::ostream& err);

}  // namespace descramble
