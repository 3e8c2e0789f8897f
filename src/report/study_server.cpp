#include "descramble/report/study_server.h"

#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <microhttpd.h>
#include <nlohmann/json.hpp>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "report/answer_store.h"
#include "report/listen.h"
#include "report/request_limits.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// An answer to a request: a code and a JSON body, or the page.
struct Reply {
  unsigned code = MHD_HTTP_OK;
  std::string body{};
  bool page = false;
};

Reply refusal(unsigned code, const std::string& why) {
  return {.code = code, .body = json{{"error", why}}.dump()};
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool is_participant(const std::string& text) {
  constexpr std::size_t longest = 64;
  return !text.empty() && text.size() <= longest &&
         text.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz-") == std::string::npos;
}

/// Takes the same time wherever the texts differ.
bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

/// What came of a request so far.
struct Request {
  std::string body{};
  bool too_large = false;
};

/// @throws Error for an address that is every address of the machine, without a name for the link
const StudyServerOptions& with_a_name(const StudyServerOptions& options) {
  if (options.host.empty() && (options.address == "0.0.0.0" || options.address == "::")) {
    throw Error({"no name for the link", "--host",
                 "the name or address by which participants reach this machine",
                 "none, and --address " + options.address});
  }
  return options;
}

/// The names under which a browser reaches the server, as the header Host has them.
std::set<std::string> hosts_of(const Listener& listener, const StudyServerOptions& options) {
  std::set<std::string> names;
  if (!listener.any()) names.insert(in_link(options.address));
  if (!options.host.empty()) names.insert(lower(options.host));
  if (listener.loopback()) names.merge(std::set<std::string>{"localhost", "127.0.0.1", "[::1]"});
  std::set<std::string> hosts;
  for (const std::string& name : names) {
    hosts.insert(fmt::format("{}:{}", name, listener.port()));
    // Ports 80 and 443 are left out: the first may be ours, both may be a proxy's.
    if (listener.port() == 80 || name == lower(options.host)) hosts.insert(name);
  }
  return hosts;
}

}  // namespace

class StudyServer::Running {
 public:
  Running(const fs::path& folder, const StudyServerOptions& options,
          std::function<void(const std::string&)> trouble)
      : options_(with_a_name(options)),
        trouble_(std::move(trouble)),
        key_(read_study_key(folder)),
        page_(read_file(folder / "index.html")),
        listener_(options.address, options.port),
        store_(folder, key_.study, AnswerStore::Access::write),
        limits_(options.requests_per_second, options.requests_at_once) {
    hosts_ = hosts_of(listener_, options);
    prefix_ = "/s/" + store_.token();
    link_ = fmt::format("http://{}:{}{}/",
                        options.host.empty() ? in_link(options.address) : options.host,
                        listener_.port(), prefix_);
    served_ = {.answers = store_.answer_count(), .participants = store_.participant_count()};
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, nullptr, nullptr,
                               &handled, this, MHD_OPTION_LISTEN_SOCKET, listener_.socket(),
                               MHD_OPTION_CONNECTION_LIMIT, options.most_connections,
                               MHD_OPTION_PER_IP_CONNECTION_LIMIT, options.most_connections_of_one,
                               MHD_OPTION_CONNECTION_TIMEOUT, options.silent_seconds,
                               MHD_OPTION_NOTIFY_COMPLETED, &completed, nullptr,
                               MHD_OPTION_NOTIFY_CONNECTION, &connected, this, MHD_OPTION_END);
    if (daemon_ == nullptr) throw Failure(Complaint{"the server does not start", link_});
    listener_.taken();
  }
  ~Running() { MHD_stop_daemon(daemon_); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  const std::string& link() const { return link_; }
  StudyServed served() const {
    const std::lock_guard lock(mutex_);
    return served_;
  }

  void tend() {
    const auto now = RequestLimits::Clock::now();
    const std::lock_guard lock(mutex_);
    for (const auto& [socket, since] : connections_) {
      if (std::chrono::duration<double>(now - since).count() > options_.connection_seconds)
        shutdown(socket, SHUT_RDWR);  // the server's thread closes it
    }
  }

 private:
  static MHD_Result handled(void* self, MHD_Connection* connection, const char* url,
                            const char* method, const char* /*version*/, const char* data,
                            std::size_t* size, void** state) {
    // Nothing may be thrown into the C library.
    try {
      return static_cast<Running*>(self)->handle(connection, url, method, {data, *size}, size,
                                                 state);
    } catch (const std::exception&) {
      return MHD_NO;  // closes the connection
    }
  }
  static void completed(void* /*self*/, MHD_Connection* /*connection*/, void** state,
                        MHD_RequestTerminationCode /*why*/) {
    delete static_cast<Request*>(*state);
    *state = nullptr;
  }
  static void connected(void* self, MHD_Connection* connection, void** /*state*/,
                        MHD_ConnectionNotificationCode code) {
    const int socket =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    auto& running = *static_cast<Running*>(self);
    const std::lock_guard lock(running.mutex_);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      running.connections_[socket] = RequestLimits::Clock::now();
    } else {
      running.connections_.erase(socket);
    }
  }

  MHD_Result handle(MHD_Connection* connection, const std::string& url, const std::string& method,
                    std::string_view data, std::size_t* size, void** state) {
    auto* request = static_cast<Request*>(*state);
    if (request == nullptr) {
      *state = request = new Request;
      const std::optional<Reply> early = refused_at_once(connection, url, method);
      return early ? send(connection, *early) : MHD_YES;
    }
    if (!data.empty()) {
      request->too_large = request->too_large || request->body.size() + data.size() > most_body();
      if (!request->too_large) request->body.append(data);
      *size = 0;
      // A body without a length that never ends is read no further.
      return request->too_large ? MHD_NO : MHD_YES;
    }
    if (method != "POST") return send(connection, {.page = true});
    return send(connection, taken(request->body));
  }

  /// By the first line and the headers alone, before a body is read.
  std::optional<Reply> refused_at_once(MHD_Connection* connection, const std::string& url,
                                       const std::string& method) {
    const auto header = [&](const char* name) {
      const char* value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
      return std::string(value == nullptr ? "" : value);
    };
    if (!limits_.take(address_of(connection), RequestLimits::Clock::now()))
      return refusal(MHD_HTTP_TOO_MANY_REQUESTS, "too many requests");
    const std::string host = lower(header(MHD_HTTP_HEADER_HOST));
    if (!hosts_.contains(host)) return refusal(MHD_HTTP_MISDIRECTED_REQUEST, "another host");
    const bool page = same_secret(url, prefix_ + "/");
    const bool answers = same_secret(url, prefix_ + "/answers");
    if (!page && !answers) return refusal(MHD_HTTP_NOT_FOUND, "nothing here");
    if (page) {
      if (method != "GET" && method != "HEAD")
        return refusal(MHD_HTTP_METHOD_NOT_ALLOWED, "only GET");
      return std::nullopt;
    }
    if (method != "POST") return refusal(MHD_HTTP_METHOD_NOT_ALLOWED, "only POST");
    const std::string origin = lower(header(MHD_HTTP_HEADER_ORIGIN));
    if (origin != "http://" + host && origin != "https://" + host)
      return refusal(MHD_HTTP_FORBIDDEN, "another origin");
    if (!lower(header(MHD_HTTP_HEADER_CONTENT_TYPE)).starts_with("application/json"))
      return refusal(MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "only application/json");
    const std::string length = header(MHD_HTTP_HEADER_CONTENT_LENGTH);
    constexpr std::size_t most_digits = 18;
    if (length.size() > most_digits ||
        (!length.empty() && std::strtoull(length.c_str(), nullptr, 10) > most_body()))
      return refusal(MHD_HTTP_CONTENT_TOO_LARGE, "too large");
    return std::nullopt;
  }

  std::size_t most_body() const { return options_.most_body; }

  static std::string address_of(MHD_Connection* connection) {
    const auto* address = reinterpret_cast<const sockaddr*>(
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr);
    const auto bytes = [&](const void* data, std::size_t count) {
      return std::string(static_cast<const char*>(data), count);
    };
    if (address->sa_family == AF_INET6) {
      // The first 64 bits are one subscriber's.
      return bytes(&reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, 8);
    }
    return bytes(&reinterpret_cast<const sockaddr_in*>(address)->sin_addr, 4);
  }

  Reply taken(const std::string& body) {
    GivenAnswer answer;
    try {
      const json given = json::parse(body, nullptr, /*allow_exceptions=*/false);
      const json study = given.is_object() ? given.value("study", json()) : json();
      const json participant = given.is_object() ? given.value("participant", json()) : json();
      if (study != key_.study) return refusal(MHD_HTTP_BAD_REQUEST, "no answer to this study");
      if (!participant.is_string() || !is_participant(participant))
        return refusal(MHD_HTTP_BAD_REQUEST, "no participant");
      answer = read_answer(given, participant, key_, "request");
    } catch (const Error& error) {
      return refusal(MHD_HTTP_BAD_REQUEST, error.complaint().what);
    }
    try {
      const bool fresh = !store_.knows(answer.participant);
      if (fresh && served().participants >= options_.most_participants)
        return refusal(MHD_HTTP_FORBIDDEN, "the study is full");
      const AnswerStore::Added added = store_.add(answer);
      if (added == AnswerStore::Added::other_answer_there)
        return refusal(MHD_HTTP_CONFLICT, "this question has another answer already");
      if (added == AnswerStore::Added::kept) {
        const std::lock_guard lock(mutex_);
        ++served_.answers;
        served_.participants += fresh ? 1 : 0;
      }
      last_trouble_.clear();
      return {.body = R"({"kept":true})"};
    } catch (const Failure& failure) {
      // The browser keeps the answer and sends it again.
      if (last_trouble_ != failure.what()) trouble_(failure.what());
      last_trouble_ = failure.what();
      return refusal(MHD_HTTP_INSUFFICIENT_STORAGE, "the answer could not be written");
    }
  }

  MHD_Result send(MHD_Connection* connection, const Reply& reply) const {
    // The page lives as long as the server.
    const std::string& body = reply.page ? page_ : reply.body;
    MHD_Response* response = MHD_create_response_from_buffer(
        body.size(), const_cast<char*>(body.data()),
        reply.page ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    const auto header = [&](const char* name, const char* value) {
      MHD_add_response_header(response, name, value);
    };
    header("Content-Type", reply.page ? "text/html; charset=utf-8" : "application/json");
    // The page has a stricter policy of its own; this one keeps it out of other pages' frames.
    header("Content-Security-Policy",
           reply.page ? "frame-ancestors 'none'" : "default-src 'none'; frame-ancestors 'none'");
    header("X-Content-Type-Options", "nosniff");
    header("Referrer-Policy", "no-referrer");  // the link holds a secret
    header("Cross-Origin-Resource-Policy", "same-origin");
    header("Cache-Control", "no-store");
    if (reply.code == MHD_HTTP_TOO_MANY_REQUESTS) header("Retry-After", "1");
    if (reply.code == MHD_HTTP_METHOD_NOT_ALLOWED) header("Allow", "GET, HEAD, POST");
    const MHD_Result result = MHD_queue_response(connection, reply.code, response);
    MHD_destroy_response(response);
    return result;
  }

  StudyServerOptions options_;
  std::function<void(const std::string&)> trouble_;
  StudyKey key_;
  std::string page_;
  Listener listener_;
  AnswerStore store_;     // of the server's thread
  RequestLimits limits_;  // of the server's thread
  std::string last_trouble_{};
  std::set<std::string> hosts_{};
  std::string prefix_{};
  std::string link_{};
  mutable std::mutex mutex_{};  // guards what follows
  StudyServed served_{};
  std::map<int, RequestLimits::Clock::time_point> connections_{};
  MHD_Daemon* daemon_ = nullptr;
};

StudyServer::StudyServer(const fs::path& folder, const StudyServerOptions& options,
                         std::function<void(const std::string&)> trouble)
    : running_(std::make_unique<Running>(folder, options, std::move(trouble))) {}
StudyServer::~StudyServer() = default;

const std::string& StudyServer::link() const {
  return running_->link();
}
StudyServed StudyServer::served() const {
  return running_->served();
}
void StudyServer::tend() {
  running_->tend();
}

}  // namespace descramble
