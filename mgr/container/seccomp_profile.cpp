// Docker's format of system call filters, turned into the runtime's.
#include <sys/utsname.h>

#include <nlohmann/json.hpp>

#include "mgr/container/container_config_fields.hpp"
#include "mgr/container/seccomp_default.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

// How Docker's conditions and libseccomp name the processor.
#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "amd64";
constexpr std::string_view kSeccompArchitecture = "SCMP_ARCH_X86_64";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture = "arm64";
constexpr std::string_view kSeccompArchitecture = "SCMP_ARCH_AARCH64";
#else
constexpr std::string_view kArchitecture = "";
constexpr std::string_view kSeccompArchitecture = "";
#endif

constexpr int64_t kErrnoMax = 4095;  // of the kernel

constexpr auto kActions =
    std::to_array<std::string_view>({"SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP",
                                     "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE", "SCMP_ACT_ALLOW", "SCMP_ACT_LOG"});

constexpr auto kOperators = std::to_array<std::string_view>(
    {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ"});

template <size_t N>
void require_known(const std::array<std::string_view, N>& known, const std::string& word, const std::string& field) {
  if (std::find(known.begin(), known.end(), word) == known.end()) refuse_value(field, "unknown value \"" + word + "\"");
}

struct Conditions {
  std::vector<std::string> caps;
  std::vector<std::string> arches;
  std::string min_kernel;
};

Conditions parse_conditions(const json* from, const std::string& prefix) {
  if (from == nullptr) return {};
  JsonFields fields(*from, prefix);
  Conditions conditions{fields.texts("caps"), fields.texts("arches"), fields.text("minKernel")};
  fields.refuse_the_rest();
  return conditions;
}

bool kernel_is_at_least(const std::string& wanted) {
  utsname kernel{};
  ::uname(&kernel);
  int have_major = 0, have_minor = 0, want_major = 0, want_minor = 0;
  std::sscanf(kernel.release, "%d.%d", &have_major, &have_minor);
  if (std::sscanf(wanted.c_str(), "%d.%d", &want_major, &want_minor) != 2) {
    refuse_value("seccomp.minKernel", "invalid kernel version \"" + wanted + "\"");
  }
  return std::pair(have_major, have_minor) >= std::pair(want_major, want_minor);
}

bool has_architecture(const std::vector<std::string>& arches) {
  return std::find(arches.begin(), arches.end(), kArchitecture) != arches.end();
}

// All that is included must hold, and nothing that is excluded may.
bool applies(const Conditions& includes, const Conditions& excludes, const std::set<std::string>& capabilities) {
  const auto has = [&](const std::string& capability) { return capabilities.contains(capability); };
  if (!std::all_of(includes.caps.begin(), includes.caps.end(), has)) return false;
  if (!includes.arches.empty() && !has_architecture(includes.arches)) return false;
  if (!includes.min_kernel.empty() && !kernel_is_at_least(includes.min_kernel)) return false;
  if (std::any_of(excludes.caps.begin(), excludes.caps.end(), has)) return false;
  if (has_architecture(excludes.arches)) return false;
  return excludes.min_kernel.empty() || !kernel_is_at_least(excludes.min_kernel);
}

std::optional<int64_t> errno_of(JsonFields& fields, std::string_view name) {
  const std::optional<int64_t> code = fields.optional_number(name);
  if (code && (*code < 0 || *code > kErrnoMax)) refuse_value(fields.full_name(name), "out of range");
  return code;
}

// An operand is 64 bits wide and unsigned: a mask may have its highest bit set.
uint64_t operand(JsonFields& fields, std::string_view name) {
  const json* value = fields.value(name);
  if (value == nullptr) return 0;
  if (!value->is_number_unsigned()) refuse_value(fields.full_name(name), "expected a number that is not negative");
  return value->get<uint64_t>();
}

json parse_argument(const json& from) {
  JsonFields fields(from, "seccomp.syscalls.args.");
  const int64_t index = fields.number("index");
  if (index < 0 || index > 5) refuse_value(fields.full_name("index"), "out of range");
  const std::string op = fields.text("op");
  require_known(kOperators, op, fields.full_name("op"));
  json argument = {
      {"index", index}, {"value", operand(fields, "value")}, {"valueTwo", operand(fields, "valueTwo")}, {"op", op}};
  fields.refuse_the_rest();
  return argument;
}

// Nothing if the rule's conditions do not hold here.
std::optional<json> parse_rule(const json& from, const std::set<std::string>& capabilities) {
  JsonFields fields(from, "seccomp.syscalls.");
  std::vector<std::string> names = fields.texts("names");
  const std::string name = fields.text("name");
  if (!name.empty()) names.push_back(name);
  if (names.empty()) refuse_value(fields.full_name("names"), "no system call is named");
  const std::string action = fields.text("action");
  require_known(kActions, action, fields.full_name("action"));
  json rule = {{"names", std::move(names)}, {"action", action}};
  if (const auto code = errno_of(fields, "errnoRet")) rule["errnoRet"] = *code;
  for (const json& argument : fields.list("args")) rule["args"].push_back(parse_argument(argument));
  const Conditions includes = parse_conditions(fields.value("includes"), "seccomp.syscalls.includes.");
  const Conditions excludes = parse_conditions(fields.value("excludes"), "seccomp.syscalls.excludes.");
  fields.text("comment");
  fields.refuse_the_rest();
  if (!applies(includes, excludes, capabilities)) return std::nullopt;
  return rule;
}

json parse_architectures(JsonFields& profile) {
  json architectures = profile.texts("architectures");
  for (const json& entry : profile.list("archMap")) {
    JsonFields fields(entry, "seccomp.archMap.");
    const std::string main = fields.text("architecture");
    const std::vector<std::string> sub = fields.texts("subArchitectures");
    fields.refuse_the_rest();
    if (main != kSeccompArchitecture) continue;
    architectures.push_back(main);
    for (const std::string& other : sub) architectures.push_back(other);
  }
  return architectures;
}

}  // namespace

json seccomp_from_profile(const json& from, const std::set<std::string>& capabilities) {
  JsonFields profile(from, "seccomp.");
  const std::string action = profile.text("defaultAction");
  require_known(kActions, action, profile.full_name("defaultAction"));
  json result = {{"defaultAction", action}};
  if (const auto code = errno_of(profile, "defaultErrnoRet")) result["defaultErrnoRet"] = *code;
  json architectures = parse_architectures(profile);
  if (!architectures.empty()) result["architectures"] = std::move(architectures);
  if (const std::vector<std::string> flags = profile.texts("flags"); !flags.empty()) result["flags"] = flags;
  for (const json& entry : profile.list("syscalls")) {
    if (std::optional<json> rule = parse_rule(entry, capabilities)) result["syscalls"].push_back(std::move(*rule));
  }
  profile.refuse_the_rest();
  return result;
}

}  // namespace quoll::mgr
