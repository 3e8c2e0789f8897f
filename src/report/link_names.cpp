#include "report/link_names.h"

#include <regex>

#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

std::string lower_case(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

LinkNames link_names(const Listener& listener, const std::string& host) {
  LinkNames names;
  const auto accept = [&](const std::string& name) {
    names.accepted.insert(fmt::format("{}:{}", name, listener.port()));
    if (listener.port() == 80) names.accepted.insert(name);
  };
  if (listener.loopback()) {
    for (const char* name : {"localhost", "127.0.0.1", "[::1]"}) accept(name);
  }
  if (!listener.any()) accept(listener.address());
  if (host.empty()) {
    if (listener.any()) {
      throw Error({"no name for the link", "--host",
                   "the name or address by which participants reach this machine",
                   "none, and --address " + listener.address()});
    }
    names.link = fmt::format("{}:{}", listener.address(), listener.port());
    return names;
  }
  static const std::regex form(
      R"(([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?)");
  std::smatch parts;
  if (!std::regex_match(host, parts, form)) {
    throw Error({"no name for the link", "--host", "NAME or NAME:PORT, such as study.example.org",
                 "'" + host + "'"});
  }
  const std::string name = lower_case(parts[1]);
  const bool has_port = parts[3].matched;
  names.link = has_port ? host : fmt::format("{}:{}", host, listener.port());
  accept(name);
  // A browser leaves out the port of a proxy that is the scheme's own one.
  names.accepted.insert(name);
  names.accepted.insert(lower_case(host));
  return names;
}

}  // namespace descramble
