#include "mgr/registry/progress.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace quoll::mgr {

namespace {

using nlohmann::json;

std::string to_line(const json& line) { return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\r\n"; }

// "32.3MB": four significant digits, powers of 1000, as go-units writes them.
std::string human_size(double size) {
  static constexpr std::array<const char*, 6> kUnits{"B", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  while (size >= 1000 && unit + 1 < kUnits.size()) {
    size /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g%s", size, kUnits[unit]);
  return text.data();
}

std::string bar(std::int64_t current, std::int64_t total) {
  constexpr std::int64_t kWidth = 50;
  const std::int64_t done = std::clamp<std::int64_t>(current * kWidth / std::max<std::int64_t>(total, 1), 0, kWidth);
  std::string text = "[" + std::string(static_cast<std::size_t>(done), '=');
  if (done < kWidth) text += ">" + std::string(static_cast<std::size_t>(kWidth - done - 1), ' ');
  std::array<char, 64> sizes{};
  std::snprintf(sizes.data(), sizes.size(), "] %8s/%s", human_size(static_cast<double>(current)).c_str(),
                human_size(static_cast<double>(total)).c_str());
  return text + sizes.data();
}

json row_json(const std::string& id, const std::string& status) {
  return {{"status", status}, {"progressDetail", json::object()}, {"id", id}};
}

}  // namespace

void Progress::message(std::string status, std::string id) {
  json value{{"status", std::move(status)}};
  if (!id.empty()) value["id"] = std::move(id);
  line(value);
}

void Progress::line(const json& value) {
  Entry entry;
  entry.text = to_line(value);
  const std::lock_guard lock(mutex_);
  entry.version = ++version_;
  entries_.push_back(std::move(entry));
}

void Progress::row(const std::string& id, std::string status, std::int64_t current, std::int64_t total) {
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = rows_.try_emplace(id, entries_.size());
  if (is_new) entries_.emplace_back().id = id;
  Entry& entry = entries_[found->second];
  entry.version = ++version_;
  entry.status = std::move(status);
  entry.current = current;
  entry.total = total;
}

std::string Progress::render(const Entry& entry) {
  if (!entry.text.empty()) return entry.text;
  json value = row_json(entry.id, entry.status);
  if (entry.total > 0) {
    value["progressDetail"] = {{"current", entry.current}, {"total", entry.total}};
    value["progress"] = bar(entry.current, entry.total);
  }
  return to_line(value);
}

std::string Progress::lines_since(Cursor& cursor) const {
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const Entry& entry : entries_) {
    if (entry.version > cursor.seen) lines += render(entry);
  }
  cursor.seen = version_;
  return lines;
}

}  // namespace quoll::mgr
