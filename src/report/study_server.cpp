#include "descramble/report/study_server.h"

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
#include "report/link_names.h"
#include "report/listen.h"
#include "report/request_limits.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// An answer to a request: a code and a JSON body, a sentence, or the page.
struct Reply {
  unsigned code = MHD_HTTP_OK;
  std::string body{};
  const char* type = "application/json";
  bool page = false;
};

/// To the page's script.
Reply refusal(unsigned code, const std::string& why) {
  return {.code = code, .body = json{{"error", why}}.dump()};
}

/// To a person who opens an address.
Reply told(unsigned code, const std::string& why) {
  return {.code = code, .body = why + "\n", .type = "text/plain; charset=utf-8"};
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

/// @throws Error for a page that is gone, of another study, or cut off
std::string whole_page(const fs::path& folder, const StudyKey& key) {
  std::string page = read_file(folder / "index.html");
  if (page.find("\"" + key.study + "\"") == std::string::npos || !page.ends_with("</html>\n")) {
    throw Error({"a damaged page", (folder / "index.html").string(), "the page of this study",
                 "something else"});
  }
  return page;
}

}  // namespace

class StudyServer::Running {
 public:
  Running(const fs::path& folder, const StudyServerOptions& options,
          std::function<void(const std::string&)> trouble)
      : options_(options),
        trouble_(std::move(trouble)),
        key_(read_study_key(folder)),
        page_(whole_page(folder, key_)),
        listener_(options.address, options.port),
        names_(link_names(listener_, options.host)),
        store_(folder, key_.study, AnswerStore::Access::write),
        limits_(options.requests_per_second, options.requests_at_once) {
    prefix_ = "/s/" + store_.token();
    link_ = "http://" + names_.link + prefix_ + "/";
    served_ = {.answers = store_.answer_count(), .participants = store_.participant_count()};
    daemon_ = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, nullptr, nullptr,
                               &handled, this, MHD_OPTION_LISTEN_SOCKET, listener_.socket(),
                               MHD_OPTION_CONNECTION_LIMIT, options.most_connections,
                               MHD_OPTION_PER_IP_CONNECTION_LIMIT, options.most_connections_of_one,
                               MHD_OPTION_CONNECTION_TIMEOUT, options.silent_seconds,
                               MHD_OPTION_NOTIFY_COMPLETED, &completed, this,
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
    for (const auto& [socket, one] : connections_) {
      const double seconds = std::chrono::duration<double>(now - one.since).count();
      if (!one.replying && seconds > options_.connection_seconds)
        shutdown(socket, SHUT_RDWR);  // the server's thread closes it
    }
  }

 private:
  struct Connection {
    RequestLimits::Clock::time_point since{};
    bool replying = false;
  };

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
  static void completed(void* self, MHD_Connection* connection, void** state,
                        MHD_RequestTerminationCode /*why*/) {
    delete static_cast<Request*>(*state);
    *state = nullptr;
    static_cast<Running*>(self)->note(connection, /*replying=*/false);
  }
  static void connected(void* self, MHD_Connection* connection, void** /*state*/,
                        MHD_ConnectionNotificationCode code) {
    auto& running = *static_cast<Running*>(self);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      running.note(connection, /*replying=*/false);
    } else {
      const std::lock_guard lock(running.mutex_);
      running.connections_.erase(socket_of(connection));
    }
  }

  static int socket_of(MHD_Connection* connection) {
    return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
  }

  /// From now on this connection waits for a request, or for its reply to be read.
  void note(MHD_Connection* connection, bool replying) {
    const std::lock_guard lock(mutex_);
    connections_[socket_of(connection)] = {RequestLimits::Clock::now(), replying};
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
      return told(MHD_HTTP_TOO_MANY_REQUESTS, "Too many requests. Try again in a moment.");
    const std::string host = lower_case(header(MHD_HTTP_HEADER_HOST));
    if (!names_.accepted.contains(host))
      return told(MHD_HTTP_MISDIRECTED_REQUEST,
                  "This server has another name. Use its link as it was given.");
    const bool page = same_secret(url, prefix_ + "/");
    const bool answers = same_secret(url, prefix_ + "/answers");
    if (!page && !answers)
      return told(MHD_HTTP_NOT_FOUND,
                  "Nothing is here. The link of the study has a part /s/… with 32 letters and a "
                  "slash behind.");
    if (page) {
      if (method != "GET" && method != "HEAD")
        return told(MHD_HTTP_METHOD_NOT_ALLOWED, "Only GET.");
      return std::nullopt;
    }
    if (method != "POST") return told(MHD_HTTP_METHOD_NOT_ALLOWED, "Only POST.");
    const std::string origin = lower_case(header(MHD_HTTP_HEADER_ORIGIN));
    if (origin != "http://" + host && origin != "https://" + host)
      return refusal(MHD_HTTP_FORBIDDEN, "another origin");
    if (!lower_case(header(MHD_HTTP_HEADER_CONTENT_TYPE)).starts_with("application/json"))
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
      const auto* six = &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
      if (IN6_IS_ADDR_V4MAPPED(six)) return bytes(six->s6_addr + 12, 4);
      return bytes(six, 8);  // the first 64 bits are one subscriber's
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

  MHD_Result send(MHD_Connection* connection, const Reply& reply) {
    note(connection, /*replying=*/true);
    // The page lives as long as the server.
    const std::string& body = reply.page ? page_ : reply.body;
    MHD_Response* response = MHD_create_response_from_buffer(
        body.size(), const_cast<char*>(body.data()),
        reply.page ? MHD_RESPMEM_PERSISTENT : MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    const auto header = [&](const char* name, const char* value) {
      MHD_add_response_header(response, name, value);
    };
    header("Content-Type", reply.page ? "text/html; charset=utf-8" : reply.type);
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
  LinkNames names_;
  AnswerStore store_;     // of the server's thread
  RequestLimits limits_;  // of the server's thread
  std::string last_trouble_{};
  std::string prefix_{};
  std::string link_{};
  mutable std::mutex mutex_{};  // guards what follows
  StudyServed served_{};
  std::map<int, Connection> connections_{};
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
