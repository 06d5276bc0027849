// A thin owner of one SQLite database: statements by their text, transactions by scope, a schema that knows its age.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

struct sqlite3;
struct sqlite3_stmt;

namespace quoll::mgr {

// One step of the schema's age: `sql` (any number of statements) leads from version `version` - 1 to `version`.
struct Migration {
  int version;
  std::string_view sql;
};

// A value bound to a `?` of a statement; monostate is NULL.
using SqlValue = std::variant<std::monostate, int64_t, std::string>;

// One row of a result, valid during the call of the row function only.
class SqlRow {
 public:
  explicit SqlRow(sqlite3_stmt* statement) : statement_(statement) {}
  bool is_null(int column) const;
  int64_t integer(int column) const;
  std::string text(int column) const;

 private:
  sqlite3_stmt* statement_;
};

// An open database file.
//
// It is in WAL mode with synchronous=NORMAL: a commit is in the page cache when it returns, so the death of the process
// at any moment (kill -9 included) loses nothing and tears nothing. Only a crash of the whole machine can take back the
// last commits, and then the containers they speak of are gone as well; in exchange a commit waits for no disk.
//
// Lifetime: statements are prepared once per text and kept until the database is closed.
// Thread:   all methods from any thread; one mutex, held by a Transaction for as long as it lives. Calls block for as
//           long as the disk does, so a worker thread of the daemon hands them to the blocking pool.
// Errors:   kResourceExhausted for a full disk or quota, kUnavailable when another process holds the lock for longer
//           than kBusyTimeoutMs, kAlreadyExists for a unique key, kFailedPrecondition for a damaged file or one written
//           by a newer program, kInternal for the rest. A failed statement changes nothing.
// Limits:   kBusyTimeoutMs.
class Database {
 public:
  static constexpr int kBusyTimeoutMs = 5000;

  // Opens or creates the file (mode 0600), checks it, and brings its schema to the last of `migrations` (version 1, 2,
  // ... without gaps), all in one transaction. The default is the schema of the daemon's state.
  static std::unique_ptr<Database> open(const std::string& path);
  static std::unique_ptr<Database> open(const std::string& path, std::span<const Migration> migrations);

  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  // Runs one statement that returns no rows, and returns how many rows it changed.
  int64_t execute(std::string_view sql, std::initializer_list<SqlValue> values = {});

  // Runs one statement and calls `on_row` for each row. `on_row` may use the database.
  void query(std::string_view sql, std::initializer_list<SqlValue> values,
             const std::function<void(const SqlRow&)>& on_row);

  // PRAGMA user_version: the version of the last migration that was applied.
  int schema_version();

 private:
  friend class Transaction;
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  Database(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}
  void configure();
  void check_integrity();
  void migrate(std::span<const Migration> migrations);
  void run_script(const std::string& sql);
  Statement prepare(std::string_view sql);
  void run(sqlite3_stmt* statement, std::string_view sql, std::initializer_list<SqlValue> values,
           const std::function<void(const SqlRow&)>* on_row);
  [[noreturn]] void fail(int code, std::string_view doing) const;

  const std::string path_;
  std::recursive_mutex mutex_;  // guards what follows; recursive, so that a row function and a transaction can call in
  std::unique_ptr<sqlite3, Close> handle_;
  std::unordered_map<std::string, Statement> statements_;
  bool in_transaction_ = false;
};

// Several statements that happen together or not at all: commit() or, by leaving the scope without it, nothing.
//
// Lifetime: shorter than the database.
// Thread:   one; other threads' calls on the database wait until it ends, so nothing slow belongs inside.
class Transaction {
 public:
  // REQUIRES: no transaction is open on this thread.
  explicit Transaction(Database& database);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  // REQUIRES: not committed yet.
  // Errors: as Database; a commit that throws has changed nothing.
  void commit();

 private:
  Database& database_;
  std::unique_lock<std::recursive_mutex> lock_;
  bool open_ = false;
};

}  // namespace quoll::mgr
