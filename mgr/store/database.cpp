#include "mgr/store/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>

#include <cassert>
#include <cerrno>

#include "mgr/store/schema.hpp"
#include "task/error.hpp"
#include "task/unique_fd.hpp"

namespace quoll::mgr {
namespace {

ErrorClass class_of(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return ErrorClass::kResourceExhausted;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorClass::kUnavailable;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
      return ErrorClass::kFailedPrecondition;
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return ErrorClass::kPermissionDenied;
    case SQLITE_CONSTRAINT:
      if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY) return ErrorClass::kAlreadyExists;
      return ErrorClass::kInternal;
    default:
      return ErrorClass::kInternal;
  }
}

void bind(sqlite3_stmt* statement, int index, const SqlValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) {
    sqlite3_bind_int64(statement, index, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    // Copied by SQLite: a row function may outlive the caller's temporaries when it throws.
    sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  } else {
    sqlite3_bind_null(statement, index);
  }
}

// The file is made by us first, since SQLite would give it the mode that the umask leaves.
void create_private(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw system_error(errno, "open database " + path);
}

// Puts a statement back into its ready state on every way out.
class ResetOnExit {
 public:
  explicit ResetOnExit(sqlite3_stmt* statement) : statement_(statement) {}
  ResetOnExit(const ResetOnExit&) = delete;
  ResetOnExit& operator=(const ResetOnExit&) = delete;
  ~ResetOnExit() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

bool SqlRow::is_null(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
int64_t SqlRow::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string SqlRow::text(int column) const {
  const unsigned char* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
Database::~Database() = default;

std::unique_ptr<Database> Database::open(const std::string& path) { return open(path, state_schema()); }

std::unique_ptr<Database> Database::open(const std::string& path, std::span<const Migration> migrations) {
  create_private(path);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nullptr);
  std::unique_ptr<Database> database(new Database(path, handle));
  if (code != SQLITE_OK) database->fail(code, "open");
  database->configure();
  database->check_integrity();
  database->migrate(migrations);
  return database;
}

void Database::configure() {
  sqlite3_extended_result_codes(handle_.get(), 1);
  sqlite3_busy_timeout(handle_.get(), kBusyTimeoutMs);
  run_script("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;");
}

// A damaged page would otherwise be met only when the row on it is read, with half of the containers already adopted.
void Database::check_integrity() {
  std::string first;
  query("PRAGMA quick_check(1)", {}, [&](const SqlRow& row) { first = row.text(0); });
  if (first == "ok") return;
  throw Error(ErrorClass::kFailedPrecondition, "database " + path_ + " is damaged: " + first);
}

int Database::schema_version() {
  int version = 0;
  query("PRAGMA user_version", {}, [&](const SqlRow& row) { version = static_cast<int>(row.integer(0)); });
  return version;
}

void Database::migrate(std::span<const Migration> migrations) {
  const int newest = migrations.empty() ? 0 : migrations.back().version;
  Transaction transaction(*this);
  const int found = schema_version();
  if (found > newest) {
    throw Error(ErrorClass::kFailedPrecondition, "database " + path_ + " has schema version " + std::to_string(found) +
                                                     ", newer than version " + std::to_string(newest) +
                                                     " that this program knows: it was written by a newer quolld");
  }
  if (found == newest) return;
  for (const Migration& migration : migrations) {
    if (migration.version <= found) continue;
    run_script(std::string(migration.sql));
    run_script("PRAGMA user_version=" + std::to_string(migration.version));
  }
  transaction.commit();
}

void Database::run_script(const std::string& sql) {
  const std::lock_guard lock(mutex_);
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(sqlite3_extended_errcode(handle_.get()), sql);
}

Database::Statement Database::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement(raw);
  if (code != SQLITE_OK) fail(code, sql);
  if (!statement) throw Error(ErrorClass::kInternal, "database " + path_ + ": an empty statement");
  return statement;
}

int64_t Database::execute(std::string_view sql, std::initializer_list<SqlValue> values) {
  const std::lock_guard lock(mutex_);
  const int64_t before = sqlite3_total_changes64(handle_.get());
  query(sql, values, [](const SqlRow&) {});
  return sqlite3_total_changes64(handle_.get()) - before;
}

void Database::query(std::string_view sql, std::initializer_list<SqlValue> values,
                     const std::function<void(const SqlRow&)>& on_row) {
  const std::lock_guard lock(mutex_);
  Statement& cached = statements_[std::string(sql)];
  if (!cached) cached = prepare(sql);
  if (sqlite3_stmt_busy(cached.get()) == 0) {
    run(cached.get(), sql, values, &on_row);
    return;
  }
  // The row function of this very statement calls it again: the inner call has its own.
  const Statement inner = prepare(sql);
  run(inner.get(), sql, values, &on_row);
}

void Database::run(sqlite3_stmt* statement, std::string_view sql, std::initializer_list<SqlValue> values,
                   const std::function<void(const SqlRow&)>* on_row) {
  assert(static_cast<size_t>(sqlite3_bind_parameter_count(statement)) == values.size());
  const ResetOnExit reset(statement);
  int index = 0;
  for (const SqlValue& value : values) bind(statement, ++index, value);
  for (;;) {
    const int code = sqlite3_step(statement);
    if (code == SQLITE_DONE) return;
    if (code != SQLITE_ROW) fail(code, sql);
    (*on_row)(SqlRow(statement));
  }
}

void Database::fail(int code, std::string_view doing) const {
  const char* why = handle_ ? sqlite3_errmsg(handle_.get()) : sqlite3_errstr(code);
  const ErrorClass error_class = class_of(code);
  std::string message = "database " + path_ + ": ";
  if (error_class == ErrorClass::kFailedPrecondition) {
    message = "database " + path_ + " is damaged: ";
  } else if (error_class != ErrorClass::kResourceExhausted) {
    message.append(doing.substr(0, 60)).append(": ");
  }
  throw Error(error_class, message + why);
}

Transaction::Transaction(Database& database) : database_(database), lock_(database.mutex_) {
  assert(!database_.in_transaction_ && "transactions do not nest");
  // IMMEDIATE: the write lock is taken here, where waiting for it is safe; upgrading a read lock later may only fail.
  database_.execute("BEGIN IMMEDIATE");
  database_.in_transaction_ = true;
  open_ = true;
}

void Transaction::commit() {
  assert(open_);
  database_.execute("COMMIT");
  database_.in_transaction_ = false;
  open_ = false;
}

Transaction::~Transaction() {
  if (!open_) return;
  database_.in_transaction_ = false;
  // SQLite has rolled back by itself after some errors (a full disk): then there is nothing left to do here.
  if (sqlite3_get_autocommit(database_.handle_.get()) == 0) {
    sqlite3_exec(database_.handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

}  // namespace quoll::mgr
