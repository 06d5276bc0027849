#include "mgr/volume/volume_store.hpp"

#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::mgr {

void VolumeStore::save(const Volume& volume) {
  database_.execute(
      "INSERT INTO volumes (name, created_ns, options, labels) VALUES (?, ?, ?, ?)",
      {volume.name, volume.created_ns, nlohmann::json(volume.options).dump(), nlohmann::json(volume.labels).dump()});
}

void VolumeStore::remove(const std::string& name) { database_.execute("DELETE FROM volumes WHERE name = ?", {name}); }

std::vector<Volume> VolumeStore::load_all() {
  std::vector<Volume> volumes;
  database_.query("SELECT name, created_ns, options, labels FROM volumes", {}, [&](const SqlRow& row) {
    Volume volume;
    volume.name = row.text(0);
    volume.created_ns = row.integer(1);
    try {
      nlohmann::json::parse(row.text(2)).get_to(volume.options);
      nlohmann::json::parse(row.text(3)).get_to(volume.labels);
    } catch (const nlohmann::json::exception& error) {
      throw Error(ErrorClass::kFailedPrecondition,
                  "stored record of volume " + volume.name + " is damaged: " + error.what());
    }
    volumes.push_back(std::move(volume));
  });
  return volumes;
}

}  // namespace quoll::mgr
