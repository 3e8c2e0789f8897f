#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace [[gnu::visibility("default")]] descramble {

/// Where a study is served, and how much it takes from whom.
struct StudyServerOptions {
  std::string address = "127.0.0.1";  ///< an IPv4 or IPv6 address of this machine
  std::uint16_t port = 8080;          ///< 0: any free one
  std::string host{};  ///< NAME or NAME:PORT in the link, where it is not the address
  std::size_t most_body = 64 * 1024;       ///< bytes of a request
  std::int64_t most_participants = 10000;  ///< the most participants with answers in the study
  unsigned most_connections = 800;         ///< the most connections that are open at once
  unsigned most_connections_of_one = 256;  ///< the most of them from one address
  unsigned silent_seconds = 15;            ///< a connection that sends nothing is closed
  double connection_seconds = 120;         ///< a connection is closed whose request takes longer
  double requests_per_second = 100;        ///< the most requests of one address, on the average
  double requests_at_once = 1000;          ///< the most requests of one address in a burst
};

/// What the file of answers holds.
struct StudyServed {
  std::int64_t answers = 0;       ///< answers of all participants
  std::int64_t participants = 0;  ///< participants with at least one answer
};

/// Serves a study's page and takes its answers, each into a transaction of answers.sqlite in the
/// study's folder; the browser is told "kept" after the commit. Runs in a thread of its own while
/// it exists. It serves no file but the page, and only under the link, which holds a secret.
/// Requests with another Host or Origin, wrong or large bodies, or too many of them are refused.
class StudyServer {
 public:
  /// `trouble` gets a line for each kind of trouble with the file of answers, from that thread.
  /// @throws Error for a folder that is no study, damaged answers, or an address that cannot be had
  StudyServer(const std::filesystem::path& folder, const StudyServerOptions& options,
              std::function<void(const std::string&)> trouble);
  ~StudyServer();
  StudyServer(const StudyServer&) = delete;
  StudyServer& operator=(const StudyServer&) = delete;

  /// http://HOST:PORT/s/SECRET/
  const std::string& link() const;
  /// Answers and participants up to now.
  StudyServed served() const;

  /// Closes connections that are too old. Whoever holds the server calls it a few times a second.
  void tend();

 private:
  class Running;
  std::unique_ptr<Running> running_;
};

}  // namespace descramble
