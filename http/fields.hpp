// Header fields of one message, in two blocks of memory however many they are.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::http {

bool equals_ignoring_case(std::string_view a, std::string_view b);
// True where the comma-separated list has that token, in any case: has_token("keep-alive, Upgrade", "upgrade").
bool has_token(std::string_view list, std::string_view token);

// Lifetime: views given out are valid until the next add() or clear().
class Fields {
 public:
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  void add(std::string_view name, std::string_view value);
  void clear();
  // Gives back memory beyond what an ordinary request needs.
  void shrink();

  std::size_t size() const { return entries_.size(); }
  Field at(std::size_t index) const;
  bool has(std::string_view name) const { return find(name) != kNone; }
  // The first field of that name; "" where there is none.
  std::string_view get(std::string_view name) const;
  std::size_t count(std::string_view name) const;

 private:
  struct Entry {
    std::uint32_t offset;
    std::uint32_t value_size;
    std::uint32_t name_size;
  };
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t find(std::string_view name) const;

  std::string text_;
  std::vector<Entry> entries_;
};

}  // namespace quoll::http
