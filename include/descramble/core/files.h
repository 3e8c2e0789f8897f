#pragma once

#include "descramble/core/language.h"

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// The whole file. @throws Error when it is missing, a folder, or unreadable
std::string read_file(const std::filesystem::path& file);

/// Writes and checks every byte. @throws Failure (disk full, no permission)
void write_file(const std::filesystem::path& file, std::string_view bytes);
/// The same piece by piece: `fill` calls `put` with each piece in order.
using PutBytes = std::function<void(std::string_view)>;
/// Writes a file piece by piece: `fill` calls `put` with each piece in order. @throws Failure (disk
/// full, no permission)
void write_file(const std::filesystem::path& file,
                const std::function<void(const PutBytes& put)>& fill);

/// A file that is read from its beginning on, in pieces of any size.
class FileReader {
 public:
  /// Opens the file.
  /// @throws Error when it is missing, a folder, or unreadable
  explicit FileReader(const std::filesystem::path& file);
  std::uint64_t size() const { return size_; }  ///< the size in bytes
  /// The next bytes. @throws Error when they cannot be read, or the file ends before
  void read(void* target, std::size_t bytes);

 private:
  std::filesystem::path file_;
  std::uint64_t size_ = 0;
  std::ifstream stream_;
};

/// SHA-256 in lower-case hex.
std::string sha256_of_bytes(std::string_view bytes);
/// SHA-256 of a file's bytes. For a folder it is the hash of the lines "HASH  RELATIVE_NAME" of its
/// regular files, sorted by name. @throws Error for a path that cannot be read
std::string sha256_of_path(const std::filesystem::path& path);

/// A folder that appears either complete or not at all. Files are written to a hidden sibling;
/// `commit()` renames it to the target. An existing target is refused, unless `force` is set and
/// the target holds a `marker` file with content that `is_ours` accepts. Then the two folders are
/// exchanged (renameat2) and the old one is removed. Without a commit the destructor removes the
/// sibling, and the parents that were made for it.
class AtomicFolder {
 public:
  /// How a folder is made.
  struct Options {
    bool force = false;                  ///< replaces a target that is ours
    std::string marker = "result.json";  ///< the file that shows whose a folder is
    /// Says whether a marker is ours; null: none is.
    bool (*is_ours)(const std::filesystem::path& marker_file) = nullptr;
  };

  /// Checks everything that can be checked before work begins.
  /// @throws Error when the target exists (or is not ours), or its parent cannot be written to
  AtomicFolder(std::filesystem::path target, Options options);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& path() const { return working_; }  ///< where to write now
  /// Puts the folder in the place of the target. @throws Failure when renaming fails
  void commit();

 private:
  void check_target() const;
  bool recognised(const std::filesystem::path& marker) const;
  void swap_in_steps();
  void remove_made() const;

  std::filesystem::path target_;
  std::filesystem::path working_;
  std::vector<std::filesystem::path> made_{};  // parents that did not exist before, innermost first
  Options options_;
  bool committed_ = false;
};

}  // namespace descramble
