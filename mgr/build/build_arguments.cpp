#include "mgr/build/build_arguments.hpp"

#include <array>
#include <string_view>

namespace quoll::mgr {

namespace {

constexpr std::array<std::string_view, 10> kProxies{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy",
                                                    "FTP_PROXY",  "ftp_proxy",  "NO_PROXY",    "no_proxy",
                                                    "ALL_PROXY",  "all_proxy"};

bool is_proxy(std::string_view name) {
  for (const std::string_view each : kProxies) {
    if (each == name) return true;
  }
  return false;
}

}  // namespace

void BuildArguments::declare_global(const std::string& name, std::optional<std::string> value) {
  mentioned_.insert(name);
  global_[name] = std::move(value);
}

void BuildArguments::declare(const std::string& name, std::optional<std::string> value) {
  mentioned_.insert(name);
  if (!value) {
    if (const auto outer = global_.find(name); outer != global_.end()) value = outer->second;
  }
  declared_[name] = std::move(value);
}

std::optional<std::string> BuildArguments::resolve(const std::string& name, const ArgumentMap& declared) const {
  const auto own = declared.find(name);
  if (own == declared.end() && !is_proxy(name)) return std::nullopt;
  if (const auto given = given_.find(name); given != given_.end() && given->second) return given->second;
  return own == declared.end() ? std::nullopt : own->second;
}

std::optional<std::string> BuildArguments::global(const std::string& name) const { return resolve(name, global_); }
std::optional<std::string> BuildArguments::value(const std::string& name) const { return resolve(name, declared_); }

std::map<std::string, std::string> BuildArguments::values() const {
  std::map<std::string, std::string> all;
  const auto add = [&](const std::string& name) {
    if (auto found = value(name)) all[name] = std::move(*found);
  };
  for (const auto& [name, unused] : declared_) add(name);
  for (const std::string_view name : kProxies) add(std::string(name));
  return all;
}

bool BuildArguments::counts_for_cache(const std::string& name) const {
  return mentioned_.contains(name) || !is_proxy(name);
}

std::vector<std::string> BuildArguments::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : given_) {
    if (!mentioned_.contains(name) && !is_proxy(name)) names.push_back(name);
  }
  return names;
}

}  // namespace quoll::mgr
