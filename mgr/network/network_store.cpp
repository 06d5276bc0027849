#include "mgr/network/network_store.hpp"

#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::mgr {

void NetworkStore::save(const Network& network) {
  database_.execute(
      "INSERT INTO networks (id, name, created_ns, document) VALUES (?, ?, ?, ?) "
      "ON CONFLICT (id) DO UPDATE SET name = excluded.name, document = excluded.document",
      {network.id, network.name, network.created_ns, network_json(network).dump()});
}

void NetworkStore::remove(const std::string& id) { database_.execute("DELETE FROM networks WHERE id = ?", {id}); }

std::vector<Network> NetworkStore::load_all() {
  std::vector<Network> networks;
  database_.query("SELECT id, created_ns, document FROM networks ORDER BY created_ns, id", {}, [&](const SqlRow& row) {
    try {
      networks.push_back(network_from_json(nlohmann::json::parse(row.text(2))));
      networks.back().created_ns = row.integer(1);
    } catch (const std::exception& error) {
      throw Error(ErrorClass::kFailedPrecondition,
                  "stored record of network " + row.text(0) + " is damaged: " + error.what());
    }
  });
  return networks;
}

}  // namespace quoll::mgr
