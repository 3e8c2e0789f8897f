#include "plot/gnuplot.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descramble/core/error.h"

extern "C" char** environ;

namespace descramble {

namespace {

Failure cannot_start(int reason) {
  return Failure({"cannot run gnuplot", "", "a system with room", std::strerror(reason)});
}

/// An unnamed file in memory, which a child can read or write without anyone waiting for anyone.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("gnuplot", MFD_CLOEXEC)) {
    if (descriptor_ < 0) throw cannot_start(errno);
  }
  ~MemoryFile() { ::close(descriptor_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int descriptor() const { return descriptor_; }

  void fill(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) throw cannot_start(errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    ::lseek(descriptor_, 0, SEEK_SET);
  }

  std::string content() const {
    std::string bytes;
    char buffer[1 << 14];
    ::lseek(descriptor_, 0, SEEK_SET);
    for (;;) {
      const ssize_t count = ::read(descriptor_, buffer, sizeof(buffer));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return bytes;
      bytes.append(buffer, static_cast<std::size_t>(count));
    }
  }

 private:
  int descriptor_;
};

/// gnuplot marks the place of an error with a caret on a separate line. Puts all lines into one.
std::string in_one_line(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  std::string result;
  while (std::getline(lines, line)) {
    const std::size_t begin = line.find_first_not_of(" \t^");
    if (begin == std::string::npos) continue;
    if (!result.empty()) result += "; ";
    result += line.substr(begin);
  }
  return result;
}

}  // namespace

bool can_draw() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  std::string folder;
  while (std::getline(folders, folder, ':')) {
    if (::access(((folder.empty() ? "." : folder) + "/gnuplot").c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'')
      result += "''";
    else
      result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + "'";
}

std::string run_gnuplot(const std::string& script) {
  if (!can_draw()) {
    throw Failure(
        {"cannot draw figures", "", "gnuplot on the PATH (Debian: install gnuplot-nox)", "none"});
  }
  const MemoryFile input;
  const MemoryFile output;
  const MemoryFile complaints;
  input.fill(script);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.descriptor(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output.descriptor(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, complaints.descriptor(), STDERR_FILENO);
  // User settings (~/.gnuplot) are not read, so the same figure gives the same bytes everywhere.
  char name[] = "gnuplot";
  char option[] = "--default-settings";
  char* const arguments[] = {name, option, nullptr};
  pid_t child = 0;
  const int refused = ::posix_spawnp(&child, name, &actions, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (refused != 0) throw cannot_start(refused);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  std::string drawn = output.content();
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !drawn.ends_with("</svg>\n\n")) {
    throw Failure({"gnuplot failed", "", "a figure", in_one_line(complaints.content())});
  }
  return drawn;
}

}  // namespace descramble
