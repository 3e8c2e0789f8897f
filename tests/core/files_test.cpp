#include "descramble/core/files.h"

#include <algorithm>
#include <cstdlib>
#include <functional>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "descramble/core/paths.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {
namespace {

namespace fs = std::filesystem;

/// Runs `body` in a child process after `prepare`; the text that it returns comes back.
std::string in_child(const std::function<void()>& prepare,
                     const std::function<std::string()>& body) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    try {
      prepare();
      text = body();
    } catch (const std::exception& error) {
      text = std::string("unexpected: ") + error.what();
    }
    const bool written =
        ::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t size = 0; (size = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  return text;
}

/// Root may write anywhere, so it becomes nobody.
void give_up_privileges() {
  if (::getuid() == 0 && (::setgid(65534) != 0 || ::setuid(65534) != 0))
    throw std::runtime_error("setuid");
}

/// A disk that is full after 4 KiB a file.
void limit_file_size() {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{4096, 4096};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) throw std::runtime_error("setrlimit");
}

template <typename Expected>
std::string text_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Expected& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

TEST(ReadFile, GivesEveryByte) {
  const TemporaryFolder folder;
  std::string bytes;
  for (int i = 0; i < 3'000'000; ++i) bytes += static_cast<char>(i * 7);
  write_file(folder / "x", bytes);
  EXPECT_EQ(read_file(folder / "x"), bytes);
  write_file(folder / "x", "");
  EXPECT_EQ(read_file(folder / "x"), "");
}

TEST(ReadFile, RefusesWhatIsNotThere) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { read_file(folder / "x"); },
              ThrowsError("no such file", (folder / "x").string()));
  EXPECT_THAT([&] { read_file(folder.path()); }, ThrowsError("cannot read", "a file", "a folder"));
}

TEST(ReadFile, SaysThatItMayNot) {
  const TemporaryFolder folder;
  write_file(folder / "x", "secret");
  fs::permissions(folder.path(), fs::perms::all);
  fs::permissions(folder / "x", fs::perms::none);
  EXPECT_THAT(in_child(give_up_privileges,
                       [&] { return text_of<Error>([&] { read_file(folder / "x"); }); }),
              ::testing::AllOf(::testing::HasSubstr("cannot read"),
                               ::testing::HasSubstr("Permission denied")));
}

TEST(WriteFile, SaysThatTheDiskIsFull) {
  EXPECT_THAT([] { write_file("/dev/full", "x"); },
              ThrowsWith<Failure>("cannot write", "/dev/full", "No space left on device"));
  EXPECT_THAT([] { write_file("/dev/full", std::string(1'000'000, 'x')); },
              ThrowsWith<Failure>("No space left on device"));
}

TEST(WriteFile, SaysThatItMayNot) {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec |
                                     fs::perms::others_read | fs::perms::others_exec);
  EXPECT_THAT(in_child(give_up_privileges,
                       [&] { return text_of<Failure>([&] { write_file(folder / "x", "y"); }); }),
              ::testing::AllOf(::testing::HasSubstr("cannot write"),
                               ::testing::HasSubstr("Permission denied")));
  EXPECT_THAT([&] { write_file(folder / "none" / "x", "y"); },
              ThrowsWith<Failure>("No such file or directory"));
  EXPECT_THAT([&] { write_file(folder.path(), "y"); }, ThrowsWith<Failure>("Is a directory"));
}

// FIPS 180-4 examples, from NIST's "Secure Hash Standard" example values.
TEST(Sha256, IsThatOfTheStandard) {
  EXPECT_EQ(sha256_of_bytes(""),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_of_bytes("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_of_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_of_bytes(std::string(1'000'000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, OfAFileIsThatOfItsBytes) {
  const TemporaryFolder folder;
  write_file(folder / "x", std::string(3'000'001, 'b'));
  EXPECT_EQ(sha256_of_path(folder / "x"), sha256_of_bytes(std::string(3'000'001, 'b')));
  EXPECT_THAT([&] { sha256_of_path(folder / "none"); }, ThrowsError("cannot read", "none"));
}

TEST(Sha256, OfAFolderCoversNamesAndBytes) {
  const TemporaryFolder folder;
  fs::create_directories(folder / "d/b");
  write_file(folder / "d/z", "1");
  write_file(folder / "d/b/a", "2");
  write_file(folder / "d/b.x", "3");
  const auto line = [](const std::string& bytes, const std::string& name) {
    return sha256_of_bytes(bytes) + "  " + name + "\n";
  };
  EXPECT_EQ(sha256_of_path(folder / "d"),
            sha256_of_bytes(line("3", "b.x") + line("2", "b/a") + line("1", "z")));
  EXPECT_EQ(sha256_of_path((folder / "d").string() + "/"), sha256_of_path(folder / "d"));
  const std::string before = sha256_of_path(folder / "d");
  fs::rename(folder / "d/z", folder / "d/y");
  EXPECT_NE(sha256_of_path(folder / "d"), before);
}

class AtomicFolders : public ::testing::Test {
 protected:
  void make_result(const std::string& text) const {
    fs::create_directories(target());
    write_file(target() / "result.json", text);
    write_file(target() / "model.pt", "old");
  }
  fs::path target() const { return folder_ / "out"; }
  static bool says_ours(const fs::path& marker) { return read_file(marker) == "ours"; }
  static bool throws(const fs::path&) { throw Error("not valid JSON"); }
  AtomicFolder::Options force() const { return {.force = true, .is_ours = says_ours}; }
  std::vector<std::string> names() const { return names_in(folder_.path()); }
  TemporaryFolder folder_;
};

TEST_F(AtomicFolders, AreCompleteOrAbsent) {
  {
    AtomicFolder folder(target(), {});
    write_file(folder.path() / "result.json", "ours");
    EXPECT_EQ(folder.path().parent_path(), folder_.path()) << "a sibling, for the rename";
    EXPECT_EQ(folder.path().filename().string().front(), '.');
    EXPECT_FALSE(fs::exists(target()));
    folder.commit();
    EXPECT_TRUE(fs::exists(target() / "result.json"));
  }
  EXPECT_EQ(names(), std::vector<std::string>{"out"});
}

TEST_F(AtomicFolders, LeaveNothingBehindAfterAnException) {
  try {
    AtomicFolder folder(folder_ / "a/b/out", {});
    fs::create_directories(folder.path() / "sub");
    write_file(folder.path() / "sub/x", "y");
    throw std::runtime_error("no");
  } catch (const std::runtime_error&) {
  }
  EXPECT_TRUE(names().empty()) << "the parents that were made for it are gone too";
}

TEST_F(AtomicFolders, MakeTheirParents) {
  {
    AtomicFolder folder(folder_ / "a/b/out", {});
    folder.commit();
  }
  EXPECT_TRUE(fs::is_directory(folder_ / "a/b/out"));
}

TEST_F(AtomicFolders, KeepParentsThatOthersUse) {
  {
    AtomicFolder folder(folder_ / "a/b/out", {});
    write_file(folder_ / "a/other", "x");
  }
  EXPECT_EQ(names_in(folder_ / "a"), std::vector<std::string>{"other"});
}

TEST_F(AtomicFolders, TakeAnySpellingOfATarget) {
  for (const std::string name : {"x/", "./y", "x/../z//"}) {
    AtomicFolder folder(folder_.path() / name, {});
    folder.commit();
  }
  EXPECT_EQ(names(), (std::vector<std::string>{"x", "y", "z"}));
}

TEST_F(AtomicFolders, RefuseAnExistingTarget) {
  make_result("ours");
  EXPECT_THAT([&] { AtomicFolder(target(), {}); },
              ThrowsError("exists already", target().string(), "--force"));
  EXPECT_EQ(names(), std::vector<std::string>{"out"});
  EXPECT_EQ(read_file(target() / "model.pt"), "old");
  EXPECT_THAT([] { AtomicFolder("/", {}); }, ThrowsError("exists already"));
  EXPECT_THAT([] { AtomicFolder("", {}); }, ThrowsError("exists already"))
      << "the working directory";
}

TEST_F(AtomicFolders, RefuseWhatIsNotOursEvenWithForce) {
  fs::create_directory(target());
  write_file(target() / "thesis.tex", "x");
  EXPECT_THAT([&] { AtomicFolder(target(), force()); },
              ThrowsError("--force replaces only", "result.json", "another folder"));
  write_file(target() / "result.json", "of another program");
  EXPECT_THAT([&] { AtomicFolder(target(), force()); },
              ThrowsError("--force replaces only", "another folder"));
  EXPECT_THAT([&] { AtomicFolder(target(), {.force = true, .is_ours = throws}); },
              ThrowsError("--force replaces only"));
  EXPECT_EQ(names_in(target()).size(), 2U);
  fs::remove_all(target());
  fs::create_directories(target() / "result.json");
  EXPECT_THAT([&] { AtomicFolder(target(), force()); }, ThrowsError("--force replaces only"));
  fs::remove_all(target());
  write_file(target(), "a file");
  EXPECT_THAT([&] { AtomicFolder(target(), force()); }, ThrowsError("not a folder"));
  EXPECT_EQ(read_file(target()), "a file");
  fs::remove(target());
  fs::create_directory(folder_ / "real");
  write_file(folder_ / "real/result.json", "ours");
  fs::create_directory_symlink(folder_ / "real", target());
  EXPECT_THAT([&] { AtomicFolder(target(), force()); }, ThrowsError("not a folder"));
  EXPECT_THAT([&] { AtomicFolder(target(), {}); }, ThrowsError("exists already"));
  EXPECT_EQ(names(), (std::vector<std::string>{"out", "real"}));
}

TEST_F(AtomicFolders, AreExchangedWithForce) {
  make_result("ours");
  {
    AtomicFolder folder(target(), force());
    write_file(folder.path() / "result.json", "ours");
    EXPECT_EQ(read_file(target() / "model.pt"), "old") << "until the commit";
    folder.commit();
  }
  EXPECT_EQ(names(), std::vector<std::string>{"out"});
  EXPECT_EQ(names_in(target()), std::vector<std::string>{"result.json"});
}

TEST_F(AtomicFolders, LeaveTheOldOneWhenTheNewOneFails) {
  make_result("ours");
  { AtomicFolder folder(target(), force()); }
  EXPECT_EQ(names(), std::vector<std::string>{"out"});
  EXPECT_EQ(read_file(target() / "model.pt"), "old");
}

TEST_F(AtomicFolders, RefuseATargetThatCameIntoBeingMeanwhile) {
  {
    AtomicFolder folder(target(), {});
    make_result("ours");
    EXPECT_THAT([&] { folder.commit(); }, ThrowsError("exists already"));
  }
  EXPECT_EQ(names(), std::vector<std::string>{"out"});
  EXPECT_EQ(read_file(target() / "model.pt"), "old");
}

TEST_F(AtomicFolders, DoNotDisturbEachOther) {
  AtomicFolder one(target(), {});
  AtomicFolder other(target(), {});
  EXPECT_NE(one.path(), other.path());
  one.commit();
  EXPECT_THROW(other.commit(), Error);
}

TEST_F(AtomicFolders, RefuseAParentThatIsAFile) {
  write_file(folder_ / "file", "x");
  EXPECT_THAT([&] { AtomicFolder(folder_ / "file/out", {}); },
              ThrowsError((folder_ / "file").string()));
  EXPECT_THAT([&] { AtomicFolder(folder_ / "file/a/b/out", {}); },
              ThrowsError("cannot make the folder"));
  EXPECT_EQ(read_file(folder_ / "file"), "x");
  EXPECT_EQ(names(), std::vector<std::string>{"file"});
}

TEST_F(AtomicFolders, SayThatTheyMayNot) {
  fs::permissions(folder_.path(), fs::perms::owner_read | fs::perms::owner_exec |
                                      fs::perms::others_read | fs::perms::others_exec);
  for (const std::string name : {"out", "a/b/out"}) {
    EXPECT_THAT(in_child(give_up_privileges,
                         [&] { return text_of<Error>([&] { AtomicFolder(folder_ / name, {}); }); }),
                ::testing::AllOf(::testing::HasSubstr("cannot"),
                                 ::testing::HasSubstr(folder_.path().string()),
                                 ::testing::HasSubstr("Permission denied")));
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(AtomicFolders, LeaveNothingBehindOnAFullDisk) {
  make_result("ours");
  const std::string text = in_child(limit_file_size, [&] {
    return text_of<Failure>([&] {
      AtomicFolder folder(target(), force());
      write_file(folder.path() / "result.json", "ours");
      write_file(folder.path() / "tensors.safetensors", std::string(100'000, 'x'));
      folder.commit();
    });
  });
  EXPECT_THAT(text, ::testing::AllOf(::testing::HasSubstr("cannot write"),
                                     ::testing::HasSubstr("tensors.safetensors"),
                                     ::testing::HasSubstr("File too large")));
  EXPECT_EQ(names(), std::vector<std::string>{"out"});
  EXPECT_EQ(read_file(target() / "model.pt"), "old");
}

class Paths : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const char* value = std::getenv("DESCRAMBLE_DATA")) data_ = value, had_data_ = true;
    before_ = fs::current_path();
    for (const char* name : {"config", "here", "data"}) fs::create_directory(folder_ / name);
    fs::current_path(folder_ / "here");
    ::setenv("DESCRAMBLE_DATA", (folder_ / "data").c_str(), 1);
  }
  void TearDown() override {
    fs::current_path(before_);
    had_data_ ? ::setenv("DESCRAMBLE_DATA", data_.c_str(), 1) : ::unsetenv("DESCRAMBLE_DATA");
  }
  PathSearch search() const { return {.beside = folder_ / "config"}; }
  void put(const std::string& name) const { write_file(folder_ / name, "x"); }

  TemporaryFolder folder_;
  fs::path before_;
  std::string data_;
  bool had_data_ = false;
};

TEST_F(Paths, AreSoughtBesideTheConfigThenHereThenInTheData) {
  put("data/x");
  EXPECT_EQ(search().find("x", "/p"), folder_ / "data/x");
  put("here/x");
  EXPECT_TRUE(fs::equivalent(search().find("x", "/p"), folder_ / "here/x"));
  put("config/x");
  EXPECT_EQ(search().find("x", "/p"), folder_ / "config/x");
  EXPECT_EQ(search().find("../data/x", "/p"), folder_ / "data/x");
  EXPECT_EQ(search().places("x").size(), 3U);
}

TEST_F(Paths, ThatAreAbsoluteAreSoughtThereAlone) {
  put("data/x");
  EXPECT_EQ(search().find((folder_ / "data/x").string(), "/p"), folder_ / "data/x");
  EXPECT_THAT([&] { search().find("/none/x", "/model/path"); },
              ThrowsError("'/none/x'", "/model/path"));
  EXPECT_EQ(search().places("/none/x").size(), 1U);
}

TEST_F(Paths, ThatAreNotFoundNameEveryPlace) {
  EXPECT_THAT([&] { search().find("sub/x", "/model/path"); },
              ThrowsError("no such file or folder: 'sub/x'", "(/model/path)",
                          (folder_ / "config/sub/x").string(), "'sub/x'",
                          (folder_ / "data/sub/x").string()));
  ::unsetenv("DESCRAMBLE_DATA");
  EXPECT_THAT([&] { search().find("x", "/p"); }, ThrowsError("DESCRAMBLE_DATA is not set"));
  ::setenv("DESCRAMBLE_DATA", "", 1);
  EXPECT_THAT([&] { search().find("x", "/p"); }, ThrowsError("DESCRAMBLE_DATA is not set"));
  EXPECT_EQ(PathSearch{}.places("x"), std::vector<fs::path>{"x"});
  EXPECT_EQ((PathSearch{.beside = ""}.places("x")), std::vector<fs::path>{"x"});
}

}  // namespace
}  // namespace descramble::test
