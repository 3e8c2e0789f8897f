#include "descramble/core/files.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <memory>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <unistd.h>

#include "descramble/core/error.h"

namespace descramble {

namespace fs = std::filesystem;

namespace {

void read_pieces(const fs::path& file, const std::function<void(std::string_view)>& take) {
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  std::vector<char> buffer(1 << 20);
  while (stream) {
    stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    take({buffer.data(), static_cast<std::size_t>(stream.gcount())});
  }
  if (!stream.eof())
    throw Error({"cannot read", file.string(), "a readable file", std::strerror(errno)});
}

}  // namespace

namespace {

void require_file(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) throw Error({"no such file", file.string()});
  if (fs::is_directory(file, ignored))
    throw Error({"cannot read", file.string(), "a file", "a folder"});
}

}  // namespace

FileReader::FileReader(const fs::path& file) : file_(file) {
  require_file(file);
  std::error_code code;
  size_ = fs::file_size(file, code);
  errno = 0;
  if (!code) stream_.open(file, std::ios::binary);
  if (code || !stream_) {
    throw Error({"cannot read", file.string(), "a readable file",
                 code ? code.message() : std::strerror(errno)});
  }
}

void FileReader::read(void* target, std::size_t bytes) {
  errno = 0;
  stream_.read(static_cast<char*>(target), static_cast<std::streamsize>(bytes));
  if (stream_) return;
  throw Error({"cannot read", file_.string(), fmt::format("{} bytes more", bytes),
               errno != 0 ? std::strerror(errno) : "the end of the file"});
}

std::string read_file(const fs::path& file) {
  require_file(file);
  std::error_code ignored;
  std::string bytes;
  if (const auto size = fs::file_size(file, ignored); !ignored) bytes.reserve(size);
  read_pieces(file, [&bytes](std::string_view piece) { bytes += piece; });
  return bytes;
}

void write_file(const fs::path& file, std::string_view bytes) {
  write_file(file, [bytes](const PutBytes& put) { put(bytes); });
}

void write_file(const fs::path& file, const std::function<void(const PutBytes& put)>& fill) {
  const auto fail = [&file]() -> Failure {
    return Failure({"cannot write", file.string(), "room and permission", std::strerror(errno)});
  };
  const auto close = [](std::FILE* open) { std::fclose(open); };
  std::unique_ptr<std::FILE, decltype(close)> stream(std::fopen(file.c_str(), "wb"), close);
  if (!stream) throw fail();
  fill([&](std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), stream.get()) != bytes.size()) throw fail();
  });
  if (std::fclose(stream.release()) != 0) throw fail();  // a full disk may show only here
}

namespace {

/// OpenSSL's SHA-256, fed piece by piece.
class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &length);
    std::string text;
    for (unsigned int i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string sha256_of_file(const fs::path& file) {
  Sha256 hash;
  read_pieces(file, [&hash](std::string_view piece) { hash.add(piece); });
  return hash.hex();
}

}  // namespace

std::string sha256_of_bytes(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.hex();
}

std::string sha256_of_path(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return sha256_of_file(path);
  std::vector<std::string> names;
  try {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file())
        names.push_back(entry.path().lexically_relative(path).generic_string());
    }
  } catch (const fs::filesystem_error& error) {
    throw Error(
        {"cannot read", error.path1().string(), "a readable folder", error.code().message()});
  }
  std::sort(names.begin(), names.end());
  Sha256 hash;
  for (const std::string& name : names) hash.add(sha256_of_file(path / name) + "  " + name + "\n");
  return hash.hex();
}

namespace {

/// Removes the folders that killed runs have left: `.NAME.partial-PID-N` of a process that has
/// ended.
void remove_abandoned(const fs::path& parent, const std::string& name) {
  const std::string start = "." + name + ".partial-";
  std::error_code code;
  std::vector<fs::path> abandoned;
  for (fs::directory_iterator entry(parent, code), end; !code && entry != end;
       entry.increment(code)) {
    const std::string found = entry->path().filename().string();
    if (!found.starts_with(start)) continue;
    const long process = std::strtol(found.c_str() + start.size(), nullptr, 10);
    if (process > 0 && ::kill(static_cast<pid_t>(process), 0) != 0 && errno == ESRCH)
      abandoned.push_back(entry->path());
  }
  for (const fs::path& folder : abandoned) fs::remove_all(folder, code);
}

}  // namespace

AtomicFolder::AtomicFolder(fs::path target, Options options) : options_(std::move(options)) {
  std::error_code code;
  target_ = fs::absolute(target.empty() ? "." : target, code).lexically_normal();
  if (!target_.has_filename()) target_ = target_.parent_path();
  check_target();
  const fs::path parent = target_.parent_path();
  for (fs::path missing = parent; !fs::exists(missing, code) && !code;
       missing = missing.parent_path()) {
    made_.push_back(missing);
  }
  fs::create_directories(parent, code);
  if (code) {
    remove_made();
    throw Error({"cannot make the folder", parent.string(), "permission to write", code.message()});
  }
  remove_abandoned(parent, target_.filename().string());
  for (int attempt = 0;; ++attempt) {
    working_ =
        parent / fmt::format(".{}.partial-{}-{}", target_.filename().string(), ::getpid(), attempt);
    if (fs::create_directory(working_, code)) break;
    if (code) {
      working_.clear();
      remove_made();
      throw Error(
          {"cannot write into the folder", parent.string(), "permission to write", code.message()});
    }
  }
}

bool AtomicFolder::recognised(const fs::path& marker) const {
  if (options_.is_ours == nullptr) return true;
  try {
    return options_.is_ours(marker);
  } catch (const Error&) {  // not readable as what we write
    return false;
  }
}

void AtomicFolder::remove_made() const {
  std::error_code ignored;
  for (const fs::path& folder : made_)
    fs::remove(folder, ignored);  // innermost first, empty ones only
}

void AtomicFolder::check_target() const {
  std::error_code code;
  const auto status = fs::symlink_status(target_, code);
  if (!fs::exists(status)) return;
  if (!options_.force) {
    throw Error(
        {"the folder exists already", target_.string(), "a new folder, or --force", "it in place"});
  }
  const fs::path marker = target_ / options_.marker;
  if (!fs::is_directory(status) || !fs::is_regular_file(marker, code) || !recognised(marker)) {
    throw Error({"--force replaces only a folder that this program wrote", target_.string(),
                 "a folder holding our " + options_.marker,
                 fs::is_directory(status) ? "another folder" : "something that is not a folder"});
  }
}

void AtomicFolder::commit() {
  check_target();  // somebody may have created it in the meantime
  const auto fail = [this]() -> Failure {
    return Failure(
        {"cannot put the result in place", target_.string(), "a rename", std::strerror(errno)});
  };
  std::error_code code;
  if (fs::exists(fs::symlink_status(target_, code))) {
    if (::renameat2(AT_FDCWD, working_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
      if (errno != EINVAL && errno != ENOSYS) throw fail();
      swap_in_steps();
    }
    committed_ = true;
    fs::remove_all(working_, code);  // now the old result
  } else {
    if (::renameat2(AT_FDCWD, working_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) != 0) {
      if (errno != EINVAL && errno != ENOSYS) throw fail();
      // A file system without the flag: the target was seen to be absent just now.
      if (::rename(working_.c_str(), target_.c_str()) != 0) throw fail();
    }
    committed_ = true;
  }
}

/// Does the same as RENAME_EXCHANGE on a file system without it. At every moment one of the two
/// folders is complete under its own name.
void AtomicFolder::swap_in_steps() {
  const fs::path aside = working_.string() + ".old";
  const auto fail = [this]() -> Failure {
    return Failure(
        {"cannot put the result in place", target_.string(), "a rename", std::strerror(errno)});
  };
  if (::rename(target_.c_str(), aside.c_str()) != 0) throw fail();
  if (::rename(working_.c_str(), target_.c_str()) != 0) {
    const Failure failure = fail();
    ::rename(aside.c_str(), target_.c_str());
    throw failure;
  }
  working_ = aside;
}

AtomicFolder::~AtomicFolder() {
  if (committed_ || working_.empty()) return;
  std::error_code ignored;
  fs::remove_all(working_, ignored);
  remove_made();
}

}  // namespace descramble
