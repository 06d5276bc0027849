#include "mgr/store/schema.hpp"

namespace quoll::mgr {
namespace {

constexpr auto kMigrations = std::to_array<Migration>({
    {1, R"sql(
      CREATE TABLE containers (
        id         TEXT PRIMARY KEY,
        name       TEXT NOT NULL UNIQUE,
        created_ns INTEGER NOT NULL,
        image_id   TEXT NOT NULL,
        config     TEXT NOT NULL,
        state      TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    )sql"},
    {2, R"sql(
      CREATE TABLE volumes (
        name       TEXT PRIMARY KEY,
        created_ns INTEGER NOT NULL,
        options    TEXT NOT NULL,
        labels     TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    )sql"},
    {3, R"sql(
      CREATE TABLE networks (
        id         TEXT PRIMARY KEY,
        name       TEXT NOT NULL UNIQUE,
        created_ns INTEGER NOT NULL,
        document   TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
    )sql"},
});

}  // namespace

std::span<const Migration> state_schema() { return kMigrations; }

}  // namespace quoll::mgr
