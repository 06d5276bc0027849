// Tables for people: columns aligned as Docker's clients align them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quoll::cli {

// In characters: UTF-8 counts its code points.
std::size_t display_width(std::string_view text);
// Cut to `width` characters, the last of them "…" where something is missing.
std::string ellipsis(std::string_view text, std::size_t width);
// Control characters become `?`: what a container is called must not steer the terminal.
std::string printable(std::string_view text);

// Three spaces between columns, none narrower than ten, and no spaces at the end of a line.
class Table {
 public:
  explicit Table(std::vector<std::string> header);
  // REQUIRES: as many cells as the header has.
  void add_row(std::vector<std::string> cells);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace quoll::cli
