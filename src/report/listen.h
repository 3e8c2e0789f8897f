#pragma once

#include <cstdint>
#include <string>

namespace descramble {

/// A listening TCP socket, closed in the end unless somebody took it.
class Listener {
 public:
  /// `port` 0: any free one. @throws Error for what is no address, or one that cannot be had
  Listener(const std::string& address, std::uint16_t port);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  const std::string& address() const { return address_; }  ///< as a link has it: "[::1]"
  std::uint16_t port() const { return port_; }
  bool loopback() const { return loopback_; }  ///< reached from this machine alone
  bool any() const { return any_; }            ///< 0.0.0.0 or ::, which is no address for a link

  int socket() const { return socket_; }
  void taken() { socket_ = -1; }

 private:
  std::string address_{};
  int socket_ = -1;
  std::uint16_t port_ = 0;
  bool loopback_ = false;
  bool any_ = false;
};

}  // namespace descramble
