#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace descramble {

/// The parts of a complaint, in the order in which a person needs them. Empty parts are left out.
struct Complaint {
  std::string what;     ///< "unknown tap 'fc9'"
  std::string where{};  ///< a JSON pointer, a file, a tap
  std::string expected{};
  std::string found{};
};

/// One line: "what (where): expected …, found …", printable; what is expected and found is cut
/// where it fills a screen.
std::string to_line(const Complaint& complaint);

/// The text with each byte that is no part of a printable character of UTF-8 as \xNN: bytes of a
/// file may be anything, commands to the terminal too. Line ends become spaces.
std::string printable(std::string_view text);

/// What this library throws of its own: Error, Failure and Interrupted. All else that comes out of
/// a network's code is LibTorch's.
class Exception : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Wrong use: a bad argument, configuration, file or tensor. The command ends with exit code 2.
class Error : public Exception {
 public:
  explicit Error(Complaint complaint);
  explicit Error(const std::string& what) : Error(Complaint{what}) {}
  const Complaint& complaint() const noexcept { return complaint_; }

 private:
  Complaint complaint_;
};

/// Runs `work`. Where it throws an Error, `edit` changes the complaint before it goes on.
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

/// Runs `work`; its Error says more of where: "…, `more`".
template <typename Work>
auto with_where(const std::string& more, const Work& work) {
  return with_complaint(
      [&](Complaint& complaint) {
        complaint.where += (complaint.where.empty() ? "" : ", ") + more;
      },
      work);
}

/// Runs `work`; its Error says in front of where it is: "`place`, …".
template <typename Work>
auto within(const std::string& place, const Work& work) {
  return with_complaint(
      [&](Complaint& complaint) {
        complaint.where = place + (complaint.where.empty() ? "" : ", ") + complaint.where;
      },
      work);
}

/// Something that was right to ask for failed while running (disk full, certificate broken).
/// The command ends with exit code 1.
class Failure : public Exception {
 public:
  explicit Failure(const Complaint& complaint) : Exception(to_line(complaint)) {}
};

/// The user asked to stop (Ctrl-C). The command ends with exit code 130.
class Interrupted : public Exception {
 public:
  Interrupted() : Exception("interrupted") {}
};

/// The (at most `count`) candidates nearest to `name` by edit distance, nearest first; those that
/// contain `name`, or are contained in it, count as near.
std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates,
                                 std::size_t count = 3);

/// "a, b, c" with quotes: "'a', 'b', 'c'".
std::string quoted_list(const std::vector<std::string>& names);

/// The first line of an exception's text, without the stack of source lines that LibTorch appends.
std::string first_line(std::string_view text);

}  // namespace descramble
