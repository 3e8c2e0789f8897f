#include "results/line_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "descramble/core/error.h"

namespace descramble {

LineFile::LineFile(std::filesystem::path file, IfExists existing)
    : file_(std::move(file)),
      stream_(std::fopen(file_.c_str(), existing == IfExists::append ? "ab" : "wbx"),
              &std::fclose) {
  if (stream_) {
    end_last_line();
    return;
  }
  if (errno == EEXIST) {
    throw Error({"the file exists", file_.string(), "a new file, or IfExists::append",
                 "one that would be lost"});
  }
  throw Error({"cannot write", file_.string(), "room and permission", std::strerror(errno)});
}

/// After a crash or a full disk the last line may lack its end.
void LineFile::end_last_line() {
  std::ifstream stream(file_, std::ios::binary | std::ios::ate);
  if (!stream || stream.tellg() <= 0) return;
  is_empty_ = false;
  stream.seekg(-1, std::ios::end);
  if (stream.get() != '\n') write("\n");
}

void LineFile::write(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stream_.get()) == text.size() &&
      std::fflush(stream_.get()) == 0) {
    is_empty_ = is_empty_ && text.empty();
    return;
  }
  throw Failure({"cannot write", file_.string(), "room and permission", std::strerror(errno)});
}

}  // namespace descramble
