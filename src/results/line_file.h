#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

#include "descramble/results/probe_sinks.h"

namespace descramble {

/// A file that grows by whole lines, each of which is handed to the system at once.
class LineFile {
 public:
  /// @throws Error for a file that exists (`refuse`), or cannot be opened
  LineFile(std::filesystem::path file, IfExists existing);
  bool is_empty() const { return is_empty_; }
  /// @throws Failure when the text cannot be written
  void write(std::string_view text);

 private:
  void end_last_line();

  std::filesystem::path file_;
  bool is_empty_ = true;
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream_;
};

}  // namespace descramble
