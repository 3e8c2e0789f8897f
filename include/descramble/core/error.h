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

/// Wrong use: a bad argument, configuration, file or tensor. The command ends with exit code 2.
class Error : public std::runtime_error {
 public:
  explicit Error(Complaint complaint);
  explicit Error(const std::string& what) : Error(Complaint{what}) {}
  const Complaint& complaint() const noexcept { return complaint_; }

 private:
  Complaint complaint_;
};

/// Runs `work`; its Error says more of where: "…, `more`".
template <typename Work>
auto with_where(const std::string& more, const Work& work) {
  try {
    return work();
  } catch (const Error& error) {
    Complaint complaint = error.complaint();
    complaint.where += (complaint.where.empty() ? "" : ", ") + more;
    throw Error(complaint);
  }
}

/// Something that was right to ask for failed while running (disk full, certificate broken).
/// The command ends with exit code 1.
class Failure : public std::runtime_error {
 public:
  explicit Failure(const Complaint& complaint) : std::runtime_error(to_line(complaint)) {}
};

/// The user asked to stop (Ctrl-C). The command ends with exit code 130.
class Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
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
