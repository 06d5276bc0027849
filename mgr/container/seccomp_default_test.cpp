#include "mgr/container/seccomp_default.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgr/container/spec_defaults.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;
using Capabilities = std::set<std::string>;

// The rules that speak of `call`.
json rules_for(const json& seccomp, const std::string& call) {
  json found = json::array();
  for (const json& rule : seccomp["syscalls"]) {
    for (const json& name : rule["names"]) {
      if (name == call) found.push_back(rule);
    }
  }
  return found;
}

bool is_allowed(const json& seccomp, const std::string& call) {
  for (const json& rule : rules_for(seccomp, call)) {
    if (rule["action"] == "SCMP_ACT_ALLOW" && !rule.contains("args")) return true;
  }
  return false;
}

TEST(seccomp_default, refuses_by_default_and_allows_what_programs_need) {
  const json seccomp = default_seccomp({});
  EXPECT_EQ(seccomp["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_EQ(seccomp["defaultErrnoRet"], 1);
  for (const char* call :
       {"read", "write", "openat2", "execve", "exit_group", "mmap", "futex", "epoll_wait", "sendmsg", "clock_nanosleep",
        "fork", "vfork", "ptrace", "statx", "rseq", "close_range", "socketpair"}) {
    EXPECT_TRUE(is_allowed(seccomp, call)) << call;
  }
}

TEST(seccomp_default, keeps_from_the_kernel_what_no_capability_covers) {
  Capabilities all;
  for (const std::string& name : capability_names(all_capabilities())) all.insert(name);
  for (const Capabilities& capabilities : {Capabilities(), all}) {
    const json seccomp = default_seccomp(capabilities);
    for (const char* call :
         {"add_key", "keyctl", "request_key", "kexec_load", "kexec_file_load", "swapon", "swapoff", "nfsservctl",
          "userfaultfd", "io_uring_setup", "io_uring_enter", "pivot_root", "move_pages", "uselib"}) {
      EXPECT_TRUE(rules_for(seccomp, call).empty()) << call;
    }
  }
}

TEST(seccomp_default, a_capability_brings_its_calls_and_no_others) {
  const std::pair<const char*, const char*> kCases[] = {
      {"CAP_SYS_ADMIN", "mount"},         {"CAP_SYS_ADMIN", "setns"},
      {"CAP_SYS_BOOT", "reboot"},         {"CAP_SYS_CHROOT", "chroot"},
      {"CAP_SYS_MODULE", "init_module"},  {"CAP_SYS_PTRACE", "process_vm_readv"},
      {"CAP_SYS_TIME", "clock_settime"},  {"CAP_SYS_NICE", "mbind"},
      {"CAP_SYSLOG", "syslog"},           {"CAP_BPF", "bpf"},
      {"CAP_PERFMON", "perf_event_open"}, {"CAP_DAC_READ_SEARCH", "open_by_handle_at"},
      {"CAP_SYS_TTY_CONFIG", "vhangup"},  {"CAP_SYS_RAWIO", "iopl"},
      {"CAP_SYS_PACCT", "acct"},
  };
  for (const auto& [capability, call] : kCases) {
    EXPECT_TRUE(is_allowed(default_seccomp({capability}), call)) << call;
    EXPECT_FALSE(is_allowed(default_seccomp({}), call)) << call;
    EXPECT_FALSE(is_allowed(default_seccomp({"CAP_CHOWN"}), call)) << call;
  }
}

TEST(seccomp_default, new_namespaces_need_sys_admin) {
  const json without = default_seccomp({});
  const json clone = rules_for(without, "clone");
  ASSERT_EQ(clone.size(), 1u);
  const json expected = {{{"index", 0}, {"value", 0x7E020000}, {"valueTwo", 0}, {"op", "SCMP_CMP_MASKED_EQ"}}};
  EXPECT_EQ(clone[0]["args"], expected);
  const json clone3 = rules_for(without, "clone3");
  ASSERT_EQ(clone3.size(), 1u);
  EXPECT_EQ(clone3[0]["action"], "SCMP_ACT_ERRNO");
  EXPECT_EQ(clone3[0]["errnoRet"], 38);
  const json with = default_seccomp({"CAP_SYS_ADMIN"});
  EXPECT_TRUE(is_allowed(with, "clone"));
  EXPECT_TRUE(is_allowed(with, "clone3"));
  EXPECT_EQ(rules_for(with, "clone3").size(), 1u);
}

TEST(seccomp_default, sockets_and_personalities_are_allowed_by_argument) {
  const json seccomp = default_seccomp({});
  EXPECT_FALSE(is_allowed(seccomp, "socket"));
  EXPECT_EQ(rules_for(seccomp, "socket")[0]["args"][0]["op"], "SCMP_CMP_NE");
  EXPECT_EQ(rules_for(seccomp, "personality").size(), 5u);
  EXPECT_FALSE(is_allowed(seccomp, "personality"));
}

TEST(seccomp_default, names_no_call_twice) {
  std::set<std::string> seen;
  const json seccomp = default_seccomp({});
  for (const json& name : seccomp["syscalls"][0]["names"]) EXPECT_TRUE(seen.insert(name).second) << name;
  EXPECT_GT(seen.size(), 300u);
}

TEST(seccomp_profile, conditions_are_worked_out) {
  const json profile = json::parse(R"({"defaultAction":"SCMP_ACT_ERRNO","syscalls":[
    {"names":["a"],"action":"SCMP_ACT_ALLOW","includes":{"caps":["CAP_X"]}},
    {"names":["b"],"action":"SCMP_ACT_ALLOW","excludes":{"caps":["CAP_X"]}},
    {"names":["c"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"4.8"}},
    {"names":["d"],"action":"SCMP_ACT_ALLOW","includes":{"minKernel":"99.0"}},
    {"names":["e"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["mips"]}},
    {"names":["f"],"action":"SCMP_ACT_ALLOW","includes":{"arches":["amd64","arm64"]}},
    {"name":"g","action":"SCMP_ACT_LOG","comment":"x","args":null}]})");
  const auto names = [&](const Capabilities& capabilities) {
    std::string all;
    const json result = seccomp_from_profile(profile, capabilities);
    for (const json& rule : result["syscalls"]) all += rule["names"][0].get<std::string>();
    return all;
  };
  EXPECT_EQ(names({}), "bcfg");
  EXPECT_EQ(names({"CAP_X"}), "acfg");
}

TEST(seccomp_profile, arguments_errnos_and_architectures_are_kept) {
  const json result = seccomp_from_profile(json::parse(R"({"defaultAction":"SCMP_ACT_ALLOW","defaultErrnoRet":5,
    "archMap":[{"architecture":"SCMP_ARCH_X86_64","subArchitectures":["SCMP_ARCH_X86"]},
               {"architecture":"SCMP_ARCH_AARCH64","subArchitectures":["SCMP_ARCH_ARM"]}],
    "syscalls":[{"names":["a","b"],"action":"SCMP_ACT_ERRNO","errnoRet":7,
                 "args":[{"index":1,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}]})"),
                                           {});
  EXPECT_EQ(result["defaultErrnoRet"], 5);
  EXPECT_EQ(result["architectures"].size(), 2u);
  EXPECT_EQ(result["syscalls"], json::parse(R"([{"names":["a","b"],"action":"SCMP_ACT_ERRNO","errnoRet":7,
    "args":[{"index":1,"value":18446744073709551615,"valueTwo":0,"op":"SCMP_CMP_EQ"}]}])"));
}

TEST(seccomp_profile, malformed_profiles_are_refused_by_field) {
  const std::pair<const char*, const char*> kCases[] = {
      {"[]", "seccomp: expected an object"},
      {"{}", "seccomp.defaultAction: unknown value \"\""},
      {R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"X"}]})",
       "seccomp.syscalls.action: unknown value \"X\""},
      {R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ALLOW"}]})",
       "seccomp.syscalls.names: no system call is named"},
      {R"({"defaultAction":"SCMP_ACT_ALLOW",
           "syscalls":[{"names":["a"],"action":"SCMP_ACT_ALLOW","args":[{"index":9,"op":"SCMP_CMP_EQ"}]}]})",
       "seccomp.syscalls.args.index: out of range"},
      {R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["a"],"action":"SCMP_ACT_ERRNO","errnoRet":-1}]})",
       "seccomp.syscalls.errnoRet: out of range"},
      {R"({"defaultAction":"SCMP_ACT_NOTIFY"})", "seccomp.defaultAction: unknown value \"SCMP_ACT_NOTIFY\""},
      {R"({"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/x"})", "seccomp.listenerPath is not supported yet"},
  };
  for (const auto& [profile, message] : kCases) {
    try {
      seccomp_from_profile(json::parse(profile), {});
      ADD_FAILURE() << profile;
    } catch (const Error& error) {
      EXPECT_EQ(error.message(), message);
    }
  }
}

}  // namespace
}  // namespace quoll::mgr
