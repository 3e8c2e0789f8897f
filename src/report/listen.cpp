#include "report/listen.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

struct Address {
  std::string name{};
  sockaddr_storage storage{};
  socklen_t size = 0;
  bool loopback = false;
  bool any = false;
};

Address address_of(const std::string& text, std::uint16_t port) {
  Address result;
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    result.size = sizeof(four);
    result.loopback = (ntohl(four.sin_addr.s_addr) >> 24) == 127;
    result.any = four.sin_addr.s_addr == htonl(INADDR_ANY);
    std::memcpy(&result.storage, &four, sizeof(four));
  } else if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    result.size = sizeof(six);
    result.loopback = IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
    result.any = IN6_IS_ADDR_UNSPECIFIED(&six.sin6_addr);
    std::memcpy(&result.storage, &six, sizeof(six));
  }
  // Browsers write an IPv4 address in IPv6 in ways of their own.
  if (result.size == 0 || IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) {
    throw Error(
        {"no address", "--address", "an IPv4 or IPv6 address such as 127.0.0.1", "'" + text + "'"});
  }
  // As browsers write it.
  std::array<char, INET6_ADDRSTRLEN> name{};
  const bool is_four = four.sin_family == AF_INET;
  inet_ntop(is_four ? AF_INET : AF_INET6,
            is_four ? static_cast<const void*>(&four.sin_addr) : &six.sin6_addr, name.data(),
            name.size());
  result.name = is_four ? name.data() : fmt::format("[{}]", name.data());
  return result;
}

std::uint16_t port_of(int socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size);
  if (storage.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in&>(storage).sin_port);
  return ntohs(reinterpret_cast<const sockaddr_in6&>(storage).sin6_port);
}

}  // namespace

Listener::Listener(const std::string& address, std::uint16_t port) {
  const Address own = address_of(address, port);
  address_ = own.name;
  loopback_ = own.loopback;
  any_ = own.any;
  socket_ = ::socket(own.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  // Replies leave in small parts, so that a slow reader is seen to read.
  const int buffer = 64 * 1024;
  // A server that was killed leaves connections behind, which keep a port for a minute.
  const bool listening =
      socket_ >= 0 && setsockopt(socket_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0 &&
      setsockopt(socket_, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer)) == 0 &&
      bind(socket_, reinterpret_cast<const sockaddr*>(&own.storage), own.size) == 0 &&
      listen(socket_, SOMAXCONN) == 0;
  if (!listening) {
    const int why = errno;
    if (socket_ >= 0) close(socket_);
    const std::string place = fmt::format("{}:{}", address_, port);
    if (why == EADDRINUSE)
      throw Error({"the port is taken", place, "a free one (--port)", "another program listens"});
    throw Error(
        {"cannot listen", place, "an address and a port of this machine", std::strerror(why)});
  }
  port_ = port_of(socket_);
}

Listener::~Listener() {
  if (socket_ >= 0) close(socket_);
}

}  // namespace descramble
