// What a pull or a push tells its clients: Docker's JSON lines, as `docker pull` draws its bars from them.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::mgr {

// The present state, a row for each layer. A client asks for what has changed since it asked last, so a slow one costs
// no memory, and several can look at one pull.
//
// Thread: any.
class Progress {
 public:
  // A line of its own: {"status": "..."}, with an id where given. Kept, and told to every client.
  void message(std::string status, std::string id = {});
  void line(const nlohmann::json& line);
  // The row of a layer: its state in words and, where `total` is not 0, how far it is.
  void row(const std::string& id, std::string status, std::int64_t current = 0, std::int64_t total = 0);

  // Where a client stands; a new one is at the beginning.
  struct Cursor {
    std::uint64_t seen = 0;
  };
  // The lines of all that has changed since, in the order in which it first came up, and moves the cursor. "" where
  // nothing has.
  std::string lines_since(Cursor& cursor) const;

 private:
  struct Entry {
    std::uint64_t version = 0;
    std::string id;
    std::string text;    // a whole line, or
    std::string status;  // a row
    std::int64_t current = 0;
    std::int64_t total = 0;
  };
  static std::string render(const Entry& entry);

  mutable std::mutex mutex_;
  std::uint64_t version_ = 0;                // guarded by mutex_, as all below
  std::vector<Entry> entries_;               // in the order in which they came
  std::map<std::string, std::size_t> rows_;  // index by id
};

}  // namespace quoll::mgr
