// What the server of a study keeps, and what it closes. tests/report/test_study_server.py attacks
// it from outside.

#include "descramble/report/study_server.h"

#include <chrono>
#include <thread>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "report/answer_store.h"
#include "report/request_limits.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {

namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

GivenAnswer answer(const std::string& participant, const std::string& trial,
                   const std::string& chosen) {
  return {.participant = participant, .trial = trial, .chosen = chosen, .top = true, .seconds = 2};
}

class AnswerStores : public ::testing::Test {
 protected:
  const fs::path& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

TEST_F(AnswerStores, KeepTheFirstAnswerToAQuestion) {
  const GivenAnswer first = answer("a", "1", "x");
  std::string token;
  {
    AnswerStore store(folder(), "study", AnswerStore::Access::write);
    token = store.token();
    EXPECT_EQ(token.size(), 32U);
    EXPECT_EQ(store.add(first), AnswerStore::Added::kept);
    EXPECT_EQ(store.add(first), AnswerStore::Added::there_already);
    EXPECT_EQ(store.add(answer("a", "1", "y")), AnswerStore::Added::other_answer_there);
    EXPECT_EQ(store.add(answer("b", "1", "y")), AnswerStore::Added::kept);
    EXPECT_EQ(store.answer_count(), 2);
    EXPECT_EQ(store.participant_count(), 2);
    EXPECT_TRUE(store.knows("b"));
    EXPECT_FALSE(store.knows("c"));
    // Another program reads at the same time.
    const AnswerStore reader(folder(), "study", AnswerStore::Access::read);
    EXPECT_THAT(reader.answers(), ElementsAre(first, answer("b", "1", "y")));
  }
  const AnswerStore again(folder(), "study", AnswerStore::Access::write);
  EXPECT_EQ(again.token(), token) << "the link stays";
  EXPECT_EQ(again.answer_count(), 2);
}

TEST_F(AnswerStores, RefuseAnotherStudy) {
  AnswerStore(folder(), "study", AnswerStore::Access::write);
  for (const auto access : {AnswerStore::Access::read, AnswerStore::Access::write}) {
    EXPECT_THAT([&] { AnswerStore(folder(), "other", access); },
                ThrowsError("answers to another study", "'other'", "'study'"));
  }
  EXPECT_THROW(AnswerStore(folder() / "none", "study", AnswerStore::Access::write), Error);
}

TEST(RequestLimit, IsABucketOfEachAddress) {
  RequestLimits limits(/*per_second=*/2, /*at_once=*/3);
  const auto start = RequestLimits::Clock::time_point{};
  const auto at = [&](double seconds) {
    return start + std::chrono::duration_cast<RequestLimits::Clock::duration>(
                       std::chrono::duration<double>(seconds));
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.take("a", at(0)));
  EXPECT_FALSE(limits.take("a", at(0)));
  EXPECT_TRUE(limits.take("b", at(0)));
  EXPECT_TRUE(limits.take("a", at(0.5)));
  EXPECT_FALSE(limits.take("a", at(0.5)));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.take("a", at(100)));
  EXPECT_FALSE(limits.take("a", at(100))) << "no more than the bucket holds";
}

class StudyServers : public AnswerStores {
 protected:
  void SetUp() override {
    write_file(folder() / "key.json", study_key_text({.study = "study"}));
    write_file(folder() / "index.html", "<html>\"study\"</html>\n");
  }
};

/// True if the other side closes the connection within that time.
bool closes(int socket, std::chrono::milliseconds patience) {
  const timeval limit{.tv_sec = patience.count() / 1000,
                      .tv_usec = (patience.count() % 1000) * 1000};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  char byte = 0;
  return recv(socket, &byte, 1, 0) == 0;
}

TEST_F(StudyServers, CloseAConnectionThatNeverEnds) {
  StudyServer server(folder(), {.port = 0, .connection_seconds = 0.3}, [](const std::string&) {});
  const std::string link = server.link();
  const auto port = static_cast<std::uint16_t>(std::stoi(link.substr(link.rfind(':') + 1)));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  ASSERT_EQ(send(client, "GET ", 4, MSG_NOSIGNAL), 4);
  server.tend();
  EXPECT_FALSE(closes(client, std::chrono::milliseconds(50))) << "it is young";
  std::this_thread::sleep_for(std::chrono::milliseconds(400));
  server.tend();
  EXPECT_TRUE(closes(client, std::chrono::milliseconds(5000)));
  close(client);
}

TEST_F(StudyServers, TakeNamesWithAndWithoutAPort) {
  const auto link = [&](const StudyServerOptions& options) {
    const StudyServer server(folder(), options, [](const std::string&) {});
    const std::string whole = server.link();
    return whole.substr(0, whole.find("/s/"));
  };
  EXPECT_EQ(link({.port = 0, .host = "study.example.org:443"}), "http://study.example.org:443");
  EXPECT_THAT(link({.port = 0, .host = "[2001:db8::1]"}), HasSubstr("http://[2001:db8::1]:"));
  for (const char* odd :
       {"https://study.example.org", "a b", "a/b", ":80", "a:", "a:123456", "-a"}) {
    EXPECT_THAT([&] { link({.port = 0, .host = odd}); }, ThrowsError("no name for the link", odd));
  }
}

TEST_F(StudyServers, NeedANameWhereTheAddressIsNone) {
  const auto refused = [&](const StudyServerOptions& options, const std::string& what) {
    EXPECT_THAT([&] { StudyServer(folder(), options, [](const std::string&) {}); },
                ThrowsError(what));
    EXPECT_FALSE(fs::exists(AnswerStore::file_in(folder())));
  };
  refused({.address = "0.0.0.0", .port = 0}, "no name for the link");
  refused({.address = "::", .port = 0}, "no name for the link");
  refused({.address = "study.example.org", .port = 0}, "no address");
  refused({.address = "192.0.2.1", .port = 0}, "cannot listen");
  refused({.address = "::ffff:127.0.0.1", .port = 0}, "no address");
  const StudyServer named(folder(), {.port = 0, .host = "study.example.org"},
                          [](const std::string&) {});
  EXPECT_THAT(named.link(), HasSubstr("http://study.example.org:"));
}

}  // namespace

}  // namespace descramble::test
