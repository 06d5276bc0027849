#include "mgr/store/database.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "mgr/store/schema.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

constexpr Migration kNotes[] = {{1, "CREATE TABLE notes (key TEXT PRIMARY KEY, value INTEGER)"}};
constexpr Migration kNotesV3[] = {
    {1, "CREATE TABLE notes (key TEXT PRIMARY KEY, value INTEGER)"},
    {2, "ALTER TABLE notes ADD COLUMN extra TEXT; UPDATE notes SET extra = 'old'"},
    {3, "CREATE INDEX notes_value ON notes (value)"},
};

class DatabaseTest : public testing::Test {
 protected:
  DatabaseTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "quoll_database_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
    path_ = dir_ + "/state.db";
  }
  ~DatabaseTest() override { std::filesystem::remove_all(dir_); }

  std::unique_ptr<Database> open() { return Database::open(path_, kNotes); }

  static int64_t count(Database& database) {
    int64_t n = -1;
    database.query("SELECT count(*) FROM notes", {}, [&](const SqlRow& row) { n = row.integer(0); });
    return n;
  }

  Error open_error(std::span<const Migration> migrations = kNotes) {
    try {
      Database::open(path_, migrations);
    } catch (const Error& error) {
      return error;
    }
    return Error(ErrorClass::kInternal, "nothing was thrown");
  }

  std::string dir_;
  std::string path_;
};

TEST_F(DatabaseTest, values_come_back_as_they_were_bound) {
  auto database = open();
  const std::string odd("a'b\0c\xc3\xa4", 7);
  EXPECT_EQ(database->execute("INSERT INTO notes VALUES (?, ?)", {odd, int64_t{-1} << 62}), 1);
  EXPECT_EQ(database->execute("INSERT INTO notes VALUES (?, ?)", {std::string("null"), std::monostate{}}), 1);
  database->query("SELECT value FROM notes WHERE key = ?", {odd},
                  [&](const SqlRow& row) { EXPECT_EQ(row.integer(0), int64_t{-1} << 62); });
  bool seen = false;
  database->query("SELECT key, value FROM notes WHERE value IS NULL", {}, [&](const SqlRow& row) {
    seen = true;
    EXPECT_EQ(row.text(0), "null");
    EXPECT_TRUE(row.is_null(1));
  });
  EXPECT_TRUE(seen);
}

TEST_F(DatabaseTest, the_file_is_for_its_owner_only) {
  const mode_t old = ::umask(0);
  open();
  ::umask(old);
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST_F(DatabaseTest, is_in_wal_mode_with_synchronous_normal) {
  auto database = open();
  database->query("PRAGMA journal_mode", {}, [](const SqlRow& row) { EXPECT_EQ(row.text(0), "wal"); });
  database->query("PRAGMA synchronous", {}, [](const SqlRow& row) { EXPECT_EQ(row.integer(0), 1); });
}

TEST_F(DatabaseTest, a_transaction_without_commit_leaves_nothing) {
  auto database = open();
  {
    Transaction transaction(*database);
    database->execute("INSERT INTO notes VALUES ('a', 1)");
    EXPECT_EQ(count(*database), 1);
  }
  EXPECT_EQ(count(*database), 0);
  Transaction transaction(*database);
  database->execute("INSERT INTO notes VALUES ('a', 1)");
  transaction.commit();
  EXPECT_EQ(count(*database), 1);
}

TEST_F(DatabaseTest, a_throwing_row_function_leaves_the_statement_usable) {
  auto database = open();
  database->execute("INSERT INTO notes VALUES ('a', 1), ('b', 2)");
  const char* sql = "SELECT key FROM notes";
  EXPECT_THROW(database->query(sql, {}, [](const SqlRow&) { throw std::runtime_error("stop"); }), std::runtime_error);
  int rows = 0;
  database->query(sql, {}, [&](const SqlRow&) { ++rows; });
  EXPECT_EQ(rows, 2);
}

TEST_F(DatabaseTest, a_row_function_may_run_the_same_statement) {
  auto database = open();
  database->execute("INSERT INTO notes VALUES ('a', 1), ('b', 2)");
  const char* sql = "SELECT key FROM notes";
  int rows = 0;
  database->query(sql, {}, [&](const SqlRow&) { database->query(sql, {}, [&](const SqlRow&) { ++rows; }); });
  EXPECT_EQ(rows, 4);
}

TEST_F(DatabaseTest, a_second_row_with_the_same_key_is_already_exists) {
  auto database = open();
  database->execute("INSERT INTO notes VALUES ('a', 1)");
  try {
    database->execute("INSERT INTO notes VALUES ('a', 2)");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kAlreadyExists);
  }
  EXPECT_EQ(count(*database), 1);
}

TEST_F(DatabaseTest, threads_take_turns_and_lose_nothing) {
  auto database = open();
  database->execute("INSERT INTO notes VALUES ('n', 0)");
  constexpr int kThreads = 4, kTurns = 100;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kTurns; ++i) {
          Transaction transaction(*database);
          int64_t value = 0;
          database->query("SELECT value FROM notes", {}, [&](const SqlRow& row) { value = row.integer(0); });
          database->execute("UPDATE notes SET value = ?", {value + 1});
          transaction.commit();
        }
      });
    }
  }
  database->query("SELECT value FROM notes", {},
                  [&](const SqlRow& row) { EXPECT_EQ(row.integer(0), kThreads * kTurns); });
}

TEST_F(DatabaseTest, older_schemas_are_brought_up_with_their_rows) {
  open()->execute("INSERT INTO notes VALUES ('a', 1)");
  auto database = Database::open(path_, kNotesV3);
  EXPECT_EQ(database->schema_version(), 3);
  bool seen = false;
  database->query("SELECT extra FROM notes", {}, [&](const SqlRow& row) { seen = row.text(0) == "old"; });
  EXPECT_TRUE(seen);
}

TEST_F(DatabaseTest, a_failed_migration_leaves_the_old_schema) {
  open()->execute("INSERT INTO notes VALUES ('a', 1)");
  constexpr Migration kBroken[] = {
      kNotes[0], {2, "ALTER TABLE notes ADD COLUMN extra TEXT"}, {3, "CREATE TABLE notes (again TEXT)"}};
  EXPECT_EQ(open_error(kBroken).error_class(), ErrorClass::kInternal);
  auto database = open();
  EXPECT_EQ(database->schema_version(), 1);
  EXPECT_EQ(count(*database), 1);
}

TEST_F(DatabaseTest, a_newer_schema_is_refused_and_left_alone) {
  Database::open(path_, kNotesV3);
  const Error error = open_error();
  EXPECT_EQ(error.error_class(), ErrorClass::kFailedPrecondition);
  EXPECT_EQ(error.message(),
            "database " + path_ +
                " has schema version 3, newer than version 1 that this program knows: it was written by "
                "a newer quolld");
  EXPECT_EQ(Database::open(path_, kNotesV3)->schema_version(), 3);
}

TEST_F(DatabaseTest, garbage_is_refused_in_clear_words_and_left_alone) {
  const std::string garbage(20000, 'x');
  std::ofstream(path_) << garbage;
  const Error error = open_error();
  EXPECT_EQ(error.error_class(), ErrorClass::kFailedPrecondition);
  EXPECT_EQ(error.message(), "database " + path_ + " is damaged: file is not a database");
  std::ifstream file(path_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), garbage);
}

TEST_F(DatabaseTest, a_torn_page_is_found_at_open) {
  {
    auto database = open();
    for (int i = 0; i < 500; ++i) database->execute("INSERT INTO notes VALUES (?, 1)", {"key" + std::to_string(i)});
  }
  ASSERT_GT(std::filesystem::file_size(path_), 3 * 4096u);
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(2 * 4096);
  file << std::string(4096, '\x5a');
  file.close();
  const Error error = open_error();
  EXPECT_EQ(error.error_class(), ErrorClass::kFailedPrecondition);
  EXPECT_TRUE(error.message().starts_with("database " + path_ + " is damaged: ")) << error.message();
}

TEST_F(DatabaseTest, a_folder_that_is_missing_is_named) {
  path_ = dir_ + "/none/state.db";
  EXPECT_EQ(open_error().error_class(), ErrorClass::kNotFound);
  EXPECT_NE(open_error().message().find(path_), std::string::npos);
}

TEST_F(DatabaseTest, a_full_database_is_resource_exhausted_and_rolls_back) {
  auto database = open();
  database->query("PRAGMA max_page_count=8", {}, [](const SqlRow&) {});
  const std::string big(64 * 1024, 'x');
  try {
    Transaction transaction(*database);
    database->execute("INSERT INTO notes VALUES ('small', 1)");
    database->execute("INSERT INTO notes VALUES (?, 1)", {big});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kResourceExhausted);
  }
  EXPECT_EQ(count(*database), 0);
  EXPECT_EQ(database->execute("INSERT INTO notes VALUES ('small', 1)"), 1);
}

// A child commits rows, says so, and is killed with an open transaction: what was committed is all there, the rest is
// not.
TEST_F(DatabaseTest, a_killed_process_loses_no_commit_and_leaves_no_half) {
  int pipe_fds[2];
  ASSERT_EQ(::pipe(pipe_fds), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto database = open();
    for (int i = 0; i < 50; ++i) database->execute("INSERT INTO notes VALUES (?, 1)", {"key" + std::to_string(i)});
    Transaction transaction(*database);
    database->execute("INSERT INTO notes VALUES ('half', 1)");
    if (::write(pipe_fds[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte = 0;
  ASSERT_EQ(::read(pipe_fds[0], &byte, 1), 1);
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ::close(pipe_fds[0]);
  ::close(pipe_fds[1]);
  EXPECT_EQ(count(*open()), 50);
}

TEST(state_schema, versions_count_from_one_without_gaps) {
  int expected = 0;
  for (const Migration& migration : state_schema()) EXPECT_EQ(migration.version, ++expected);
  EXPECT_GT(expected, 0);
}

}  // namespace
}  // namespace quoll::mgr
