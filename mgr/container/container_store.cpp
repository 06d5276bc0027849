#include "mgr/container/container_store.hpp"

#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

template <typename F>
void with_conflict_named(const ContainerRecord& record, F statement) try {
  statement();
} catch (const Error& error) {
  if (error.error_class() != ErrorClass::kAlreadyExists) throw;
  throw Error(ErrorClass::kConflict,
              "container " + record.id + ": the id or the name \"/" + record.name + "\" is already in use");
}

void require_one(int64_t changed, const std::string& id) {
  if (changed == 0) throw Error(ErrorClass::kNotFound, "No such container: " + id);
}

ContainerRecord record_of(const SqlRow& row) {
  ContainerRecord record;
  record.id = row.text(0);
  try {
    record.name = row.text(1);
    record.created_ns = row.integer(2);
    record.image_id = row.text(3);
    record.config = config_from_json(nlohmann::json::parse(row.text(4)));
    record.state = state_from_json(nlohmann::json::parse(row.text(5)));
  } catch (const std::exception& error) {
    throw Error(ErrorClass::kFailedPrecondition,
                "stored record of container " + record.id + " is damaged: " + error.what());
  }
  return record;
}

}  // namespace

void ContainerStore::save(const ContainerRecord& record) {
  with_conflict_named(record, [&] {
    database_.execute(
        "INSERT INTO containers (id, name, created_ns, image_id, config, state) VALUES (?, ?, ?, ?, ?, ?)",
        {record.id, record.name, record.created_ns, record.image_id, config_to_json(record.config).dump(),
         state_to_json(record.state).dump()});
  });
}

void ContainerStore::update(const ContainerRecord& record) {
  with_conflict_named(record, [&] {
    require_one(database_.execute(
                    "UPDATE containers SET name = ?, config = ?, state = ? WHERE id = ?",
                    {record.name, config_to_json(record.config).dump(), state_to_json(record.state).dump(), record.id}),
                record.id);
  });
}

void ContainerStore::update_state(const std::string& id, const ContainerState& state) {
  require_one(database_.execute("UPDATE containers SET state = ? WHERE id = ?", {state_to_json(state).dump(), id}), id);
}

void ContainerStore::remove(const std::string& id) { database_.execute("DELETE FROM containers WHERE id = ?", {id}); }

std::vector<ContainerRecord> ContainerStore::load_all() {
  std::vector<ContainerRecord> records;
  database_.query("SELECT id, name, created_ns, image_id, config, state FROM containers ORDER BY created_ns, id", {},
                  [&](const SqlRow& row) { records.push_back(record_of(row)); });
  return records;
}

}  // namespace quoll::mgr
