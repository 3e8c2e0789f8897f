#pragma once

#include "descramble/core/language.h"

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// The parts of a complaint, in the order in which a person needs them. Empty parts are left out.
struct Complaint {
  std::string what;        ///< "unknown tap 'fc9'"
  std::string where{};     ///< a JSON pointer, a file, a tap
  std::string expected{};  ///< what would have been right
  std::string found{};     ///< what there is instead
};

/// One printable line: "what (where): expected …, found …". The texts of `expected` and `found` are
/// cut if they would fill a screen.
std::string to_line(const Complaint& complaint);

/// The text, with each byte that is not part of a printable character of UTF-8 written as `\xNN`:
/// bytes of a file may be anything, even commands to the terminal. Line ends become spaces.
std::string printable(std::string_view text);

/// The base of this library's own exceptions: Error, Failure and Interrupted. All other exceptions
/// from a network's code come from LibTorch.
class Exception : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong use: a bad argument, configuration, file or tensor. The command ends with exit code 2.
class Error : public Exception {
 public:
  /// The text of the exception is `to_line(complaint)`.
  explicit Error(Complaint complaint);
  /// A complaint that has no place.
  explicit Error(const std::string& what) : Error(Complaint{what}) {}
  /// The parts of the text, for code that adds the place.
  const Complaint& complaint() const noexcept { return complaint_; }

 private:
  Complaint complaint_;
};

/// Runs `work`. If it throws an Error, `edit` changes the complaint before the Error is thrown on.
template <typename Edit, typename Work>
auto with_complaint(const Edit& edit, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    Complaint complaint = error.complaint();
    edit(complaint);
    throw Error(complaint);
  }
}

/// Runs `work`; `more` is appended to the place in its Error: "…, `more`".
template <typename Work>
auto with_where(const std::string& more, const Work& work) {
  return with_complaint(
      [&](Complaint& complaint) {
        complaint.where += (complaint.where.empty() ? "" : ", ") + more;
      },
      work);
}

/// Runs `work`; `place` is put in front of the place in its Error: "`place`, …".
template <typename Work>
auto within(const std::string& place, const Work& work) {
  return with_complaint(
      [&](Complaint& complaint) {
        complaint.where = place + (complaint.where.empty() ? "" : ", ") + complaint.where;
      },
      work);
}

/// A correct request failed while running (disk full, certificate broken).
/// The command ends with exit code 1.
class Failure : public Exception {
 public:
  /// The text of the exception is `to_line(complaint)`.
  explicit Failure(const Complaint& complaint) : Exception(to_line(complaint)) {}
};

/// The user asked to stop (Ctrl-C). The command ends with exit code 130.
class Interrupted : public Exception {
 public:
  /// The text of the exception is "interrupted".
  Interrupted() : Exception("interrupted") {}
};

/// The (at most `count`) candidates nearest to `name` by edit distance, nearest first. Candidates
/// that contain `name`, or are contained in it, count as near.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates,
                                 std::size_t count = 3);

/// "a, b, c" with quotes: "'a', 'b', 'c'".
std::string quoted_list(const std::vector<std::string>& names);

/// The first line of an exception's text, without the stack of source lines that LibTorch appends.
std::string first_line(std::string_view text);

}  // namespace descramble
