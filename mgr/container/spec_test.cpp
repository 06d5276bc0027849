#include "mgr/container/spec.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgr/container/spec_defaults.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;
using Words = std::vector<std::string>;

// A host that has everything, and a daemon that may do everything.
HostFacts generous_host() {
  return {.bounding_capabilities = all_capabilities(),
          .can_raise_limits = true,
          .hard_limits = {{"nofile", 1000}},
          .default_sysctls = {{"net.ipv4.ping_group_range", "0 2147483647"}}};
}

struct Built {
  json spec;
  Words warnings;
};

Built build(const std::string& body, HostFacts facts = generous_host(), ContainerUser user = {0, 0, {0}, "/root"}) {
  const ContainerConfig config = parse_container_config(json::parse(body));
  const SpecInput input = {.id = "abc",
                           .rootfs = "/r",
                           .cgroup = "/quoll/abc",
                           .hostname = "web",
                           .files = {"/d/hostname", "/d/hosts", "/d/resolv"},
                           .user = user};
  Built built;
  built.spec = build_spec(config, input, facts, built.warnings);
  return built;
}

Built build_host(const std::string& host_fields, HostFacts facts = generous_host()) {
  return build("{\"HostConfig\":{" + host_fields + "}}", std::move(facts));
}

json mount_at(const json& spec, const std::string& target) {
  json found;
  for (const json& mount : spec["mounts"]) {
    if (mount["destination"] == target) {
      EXPECT_TRUE(found.is_null()) << "two mounts at " << target;
      found = mount;
    }
  }
  return found;
}

bool has_option(const json& mount, const std::string& option) {
  const Words options = mount["options"];
  return std::find(options.begin(), options.end(), option) != options.end();
}

std::string namespaces_of(const json& spec) {
  std::string all;
  for (const json& entry : spec["linux"]["namespaces"]) all += entry["type"].get<std::string>() + " ";
  return all;
}

TEST(spec, a_plain_container_is_what_docker_makes_of_it) {
  const auto [spec, warnings] = build(R"({"Entrypoint":["/e"],"Cmd":["a","b"]})");
  EXPECT_EQ(warnings, Words());
  EXPECT_EQ(spec["process"]["args"], (Words{"/e", "a", "b"}));
  EXPECT_EQ(spec["process"]["cwd"], "/");
  EXPECT_EQ(spec["process"]["terminal"], false);
  EXPECT_EQ(spec["process"]["noNewPrivileges"], false);
  EXPECT_FALSE(spec["process"].contains("rlimits"));
  EXPECT_EQ(spec["process"]["oomScoreAdj"], 0);
  EXPECT_EQ(spec["process"]["env"], (Words{"PATH=" + std::string(kDefaultPath), "HOSTNAME=web", "HOME=/root"}));
  EXPECT_EQ(spec["root"], json({{"path", "/r"}, {"readonly", false}}));
  EXPECT_EQ(spec["hostname"], "web");
  EXPECT_EQ(spec["linux"]["cgroupsPath"], "/quoll/abc");
  EXPECT_EQ(namespaces_of(spec), "mount network uts pid ipc cgroup ");
  EXPECT_EQ(spec["linux"]["maskedPaths"], default_masked_paths());
  EXPECT_EQ(spec["linux"]["readonlyPaths"], default_readonly_paths());
  EXPECT_EQ(spec["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_ERRNO");
  EXPECT_EQ(spec["linux"]["sysctl"], json({{"net.ipv4.ping_group_range", "0 2147483647"}}));
  EXPECT_FALSE(spec["linux"]["resources"].contains("memory"));
  EXPECT_FALSE(spec.contains("hooks"));
  EXPECT_FALSE(spec.contains("annotations"));
}

TEST(spec, the_containers_environment_wins_and_can_take_away) {
  const auto env = [](const char* body) { return build(body).spec["process"]["env"].get<Words>(); };
  EXPECT_EQ(env(R"({"Tty":true,"Env":["PATH=/x","A=1","A=2","HOME=/h"]})"),
            (Words{"PATH=/x", "HOSTNAME=web", "TERM=xterm", "A=2", "HOME=/h"}));
  EXPECT_EQ(env(R"({"Env":["PATH","HOME","NOTHING"]})"), Words{"HOSTNAME=web"});
}

TEST(spec, capabilities_follow_docker) {
  const auto caps = [](const std::string& fields, uint64_t bounding = all_capabilities()) {
    Words warnings;
    const HostConfig host = parse_container_config(json::parse("{\"HostConfig\":{" + fields + "}}")).host;
    return bounding_capabilities(host, bounding, warnings);
  };
  const uint64_t chown = 1, net_admin = uint64_t{1} << *capability_bit("CAP_NET_ADMIN");
  EXPECT_EQ(caps(""), 0xa80425fbu);
  EXPECT_EQ(caps(R"("CapAdd":["NET_ADMIN"],"CapDrop":["CHOWN"])"), (0xa80425fbu | net_admin) & ~chown);
  EXPECT_EQ(caps(R"("CapDrop":["ALL"])"), 0u);
  EXPECT_EQ(caps(R"("CapDrop":["ALL"],"CapAdd":["CHOWN"])"), chown);
  EXPECT_EQ(caps(R"("CapAdd":["ALL"],"CapDrop":["CHOWN"])"), all_capabilities() & ~chown);
  EXPECT_EQ(caps(R"("Privileged":true,"CapDrop":["CHOWN"])"), all_capabilities());
  EXPECT_EQ(caps(R"("CapAdd":["NET_ADMIN"])", chown), chown);
}

TEST(spec, what_the_daemon_does_not_have_is_left_out_with_a_warning) {
  HostFacts facts = generous_host();
  facts.bounding_capabilities &= ~(uint64_t{1} << *capability_bit("CAP_SYS_RESOURCE"));
  facts.can_raise_limits = false;
  facts.oom_score_adj = 0;
  facts.has_blkio_weight = false;
  facts.has_swap_limit = false;
  const auto [spec, warnings] = build_host(
      R"("CapAdd":["SYS_RESOURCE"],"OomScoreAdj":-5,"BlkioWeight":10,"Memory":9000000,"MemorySwap":9500000,
         "Ulimits":[{"Name":"nofile","Soft":2000,"Hard":3000},{"Name":"core","Soft":0,"Hard":0}])",
      facts);
  EXPECT_EQ(warnings,
            (Words{"capability CAP_SYS_RESOURCE is not this daemon's to give: it was left out",
                   "limit nofile is not this daemon's to raise: it was lowered to 1000",
                   "the OOM score is not this daemon's to lower: it was left out",
                   "Your kernel does not support swap limit capabilities or the cgroup is not mounted. Memory "
                   "limited without swap.",
                   "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight "
                   "discarded."}));
  EXPECT_EQ(spec["process"]["rlimits"], json::parse(R"([{"type":"RLIMIT_NOFILE","soft":1000,"hard":1000},
                                                        {"type":"RLIMIT_CORE","soft":0,"hard":0}])"));
  EXPECT_FALSE(spec["process"].contains("oomScoreAdj"));
  EXPECT_EQ(spec["linux"]["resources"]["memory"], json({{"limit", 9000000}}));
  EXPECT_FALSE(spec["linux"]["resources"].contains("blockIO"));
}

TEST(spec, the_default_oom_score_of_a_protected_daemon_is_left_alone_in_silence) {
  HostFacts facts = generous_host();
  facts.can_raise_limits = false;
  facts.oom_score_adj = 200;
  const auto [spec, warnings] = build("{}", facts);
  EXPECT_EQ(warnings, Words());
  EXPECT_FALSE(spec["process"].contains("oomScoreAdj"));
}

TEST(spec, only_root_has_capabilities_in_force) {
  const json root = build("{}").spec["process"]["capabilities"];
  EXPECT_EQ(root["effective"], root["bounding"]);
  EXPECT_EQ(root["permitted"], root["bounding"]);
  EXPECT_FALSE(root.contains("inheritable"));
  const auto [spec, warnings] = build("{}", generous_host(), {1000, 1001, {1001, 10}, "/home/bob"});
  EXPECT_EQ(spec["process"]["user"], json::parse(R"({"uid":1000,"gid":1001,"additionalGids":[1001,10]})"));
  EXPECT_EQ(spec["process"]["capabilities"].size(), 1u);
  EXPECT_EQ(spec["process"]["capabilities"]["bounding"].size(), 14u);
}

TEST(spec, limits_become_resources) {
  const json resources = build_host(R"("Memory":8000000,"MemoryReservation":7000000,"NanoCpus":1500000000,"CpuShares":5,
    "CpusetCpus":"0","CpusetMems":"1","PidsLimit":9,"BlkioWeight":10)")
                             .spec["linux"]["resources"];
  EXPECT_EQ(resources["memory"], json::parse(R"({"limit":8000000,"reservation":7000000,"swap":16000000})"));
  EXPECT_EQ(resources["cpu"], json::parse(R"({"shares":5,"period":100000,"quota":150000,"cpus":"0","mems":"1"})"));
  EXPECT_EQ(resources["pids"], json({{"limit", 9}}));
  EXPECT_EQ(resources["blockIO"], json({{"weight", 10}}));
  EXPECT_EQ(build_host(R"("Memory":8000000,"MemorySwap":-1)").spec["linux"]["resources"]["memory"]["swap"], -1);
  EXPECT_EQ(build_host(R"("CpuPeriod":2000,"CpuQuota":-1)").spec["linux"]["resources"]["cpu"],
            json::parse(R"({"period":2000,"quota":-1})"));
}

TEST(spec, huge_limits_do_not_overflow) {
  const json resources =
      build_host(R"("Memory":9223372036854775807,"NanoCpus":9223372036854775807)").spec["linux"]["resources"];
  EXPECT_FALSE(resources["memory"].contains("swap"));
  EXPECT_EQ(resources["cpu"]["quota"], 922337203685477);
}

TEST(spec, host_modes_leave_their_namespaces_out) {
  const auto [spec, warnings] =
      build_host(R"("NetworkMode":"host","PidMode":"host","IpcMode":"host","UTSMode":"host","CgroupnsMode":"host")");
  EXPECT_EQ(namespaces_of(spec), "mount ");
  EXPECT_FALSE(spec.contains("hostname"));
  EXPECT_FALSE(spec["linux"].contains("sysctl"));
  EXPECT_EQ(mount_at(spec, "/dev/shm")["type"], "bind");
  EXPECT_EQ(mount_at(spec, "/dev/mqueue")["type"], "mqueue");
}

TEST(spec, shared_memory_has_its_size_or_is_not_there) {
  EXPECT_TRUE(has_option(mount_at(build("{}").spec, "/dev/shm"), "size=67108864"));
  EXPECT_TRUE(has_option(mount_at(build_host(R"("ShmSize":4096)").spec, "/dev/shm"), "size=4096"));
  EXPECT_TRUE(mount_at(build_host(R"("IpcMode":"none")").spec, "/dev/shm").is_null());
  EXPECT_NE(namespaces_of(build_host(R"("IpcMode":"none")").spec).find("ipc"), std::string::npos);
}

TEST(spec, the_daemons_files_are_bound_unless_the_client_brings_its_own) {
  const json spec = build("{}").spec;
  EXPECT_EQ(mount_at(spec, "/etc/resolv.conf")["source"], "/d/resolv");
  EXPECT_EQ(mount_at(spec, "/etc/hostname")["source"], "/d/hostname");
  EXPECT_EQ(mount_at(spec, "/etc/hosts")["source"], "/d/hosts");
  EXPECT_FALSE(has_option(mount_at(spec, "/etc/hosts"), "ro"));
  EXPECT_TRUE(has_option(mount_at(build_host(R"("ReadonlyRootfs":true)").spec, "/etc/hosts"), "ro"));
  const json own = build_host(R"("Binds":["/mine:/etc/hosts"])").spec;
  EXPECT_EQ(mount_at(own, "/etc/hosts")["source"], "/mine");
  EXPECT_TRUE(mount_at(build_host(R"("Binds":["/mine:/etc"])").spec, "/etc/hosts").is_null());
}

TEST(spec, the_clients_mounts_come_after_ours_and_parents_before_children) {
  const json spec = build_host(R"("Binds":["/1:/a/b/c:ro","/2:/a"],"Tmpfs":{"/a/b":"size=1m,exec"})").spec;
  Words order;
  for (const json& mount : spec["mounts"]) order.push_back(mount["destination"]);
  ASSERT_GE(order.size(), 3u);
  EXPECT_EQ(Words(order.end() - 3, order.end()), (Words{"/a", "/a/b", "/a/b/c"}));
  EXPECT_EQ(mount_at(spec, "/a/b/c")["options"], (Words{"rbind", "rprivate", "rro"}));
  EXPECT_EQ(mount_at(spec, "/a")["options"], (Words{"rbind", "rprivate"}));
  EXPECT_EQ(mount_at(spec, "/a/b")["options"], (Words{"nosuid", "nodev", "size=1m", "exec"}));
}

TEST(spec, mount_options_follow_the_request) {
  const json spec = build_host(R"("Mounts":[
    {"Type":"bind","Source":"/s","Target":"/a","ReadOnly":true,
     "BindOptions":{"NonRecursive":true,"Propagation":"rslave"}},
    {"Type":"tmpfs","Target":"/t","ReadOnly":true,"TmpfsOptions":{"SizeBytes":5,"Mode":448}}])")
                        .spec;
  EXPECT_EQ(mount_at(spec, "/a")["options"], (Words{"bind", "rslave", "ro"}));
  EXPECT_EQ(mount_at(spec, "/t")["options"], (Words{"noexec", "nosuid", "nodev", "size=5", "mode=700", "ro"}));
  EXPECT_EQ(spec["linux"]["rootfsPropagation"], "rslave");
  EXPECT_EQ(build_host(R"("Binds":["/a:/b:slave","/c:/d:rshared"])").spec["linux"]["rootfsPropagation"], "shared");
  EXPECT_FALSE(build("{}").spec["linux"].contains("rootfsPropagation"));
}

TEST(spec, the_kernels_file_systems_are_read_only_unless_privileged) {
  const json spec = build("{}").spec;
  EXPECT_TRUE(has_option(mount_at(spec, "/sys"), "ro"));
  EXPECT_TRUE(has_option(mount_at(spec, "/sys/fs/cgroup"), "ro"));
  const json privileged = build_host(R"("Privileged":true)").spec;
  EXPECT_FALSE(has_option(mount_at(privileged, "/sys"), "ro"));
  EXPECT_FALSE(has_option(mount_at(privileged, "/sys/fs/cgroup"), "ro"));
  EXPECT_EQ(privileged["linux"]["maskedPaths"], json::array());
  EXPECT_EQ(privileged["linux"]["readonlyPaths"], json::array());
  EXPECT_FALSE(privileged["linux"].contains("seccomp"));
  EXPECT_EQ(privileged["linux"]["resources"]["devices"], json::parse(R"([{"allow":true,"access":"rwm"}])"));
}

TEST(spec, system_paths_and_seccomp_can_be_given) {
  const json spec =
      build_host(R"("MaskedPaths":[],"ReadonlyPaths":["/x"],"SecurityOpt":["seccomp=unconfined","no-new-privileges"])")
          .spec;
  EXPECT_EQ(spec["linux"]["maskedPaths"], json::array());
  EXPECT_EQ(spec["linux"]["readonlyPaths"], Words{"/x"});
  EXPECT_FALSE(spec["linux"].contains("seccomp"));
  EXPECT_EQ(spec["process"]["noNewPrivileges"], true);
  const json own = build_host(R"("SecurityOpt":["seccomp={\"defaultAction\":\"SCMP_ACT_LOG\"}"])").spec;
  EXPECT_EQ(own["linux"]["seccomp"]["defaultAction"], "SCMP_ACT_LOG");
}

TEST(spec, devices_are_denied_but_for_the_harmless_and_those_asked_for) {
  const json plain = build("{}").spec["linux"];
  EXPECT_EQ(plain["resources"]["devices"][0], json::parse(R"({"allow":false,"access":"rwm"})"));
  EXPECT_FALSE(plain.contains("devices"));
  const json with =
      build_host(R"("Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/n","CgroupPermissions":"r"}])")
          .spec["linux"];
  ASSERT_EQ(with["devices"].size(), 1u);
  EXPECT_EQ(with["devices"][0]["path"], "/dev/n");
  EXPECT_EQ(with["devices"][0]["type"], "c");
  EXPECT_EQ(with["devices"][0]["major"], 1);
  EXPECT_EQ(with["devices"][0]["minor"], 3);
  EXPECT_EQ(with["resources"]["devices"].back(),
            json::parse(R"({"allow":true,"type":"c","major":1,"minor":3,"access":"r"})"));
}

TEST(spec, cpus_and_memory_nodes_that_the_host_does_not_have_are_refused) {
  HostFacts facts = generous_host();
  facts.cpu_count = 2;
  facts.cpuset_cpus = "0-1";
  facts.cpuset_mems = "0";
  const auto error_of = [&facts](const char* fields) -> std::string {
    try {
      build_host(fields, facts);
    } catch (const Error& error) {
      return error.message();
    }
    return "";
  };
  EXPECT_EQ(error_of(R"("NanoCpus":2000000000,"CpusetCpus":"0,1","CpusetMems":"0")"), "");
  EXPECT_EQ(error_of(R"("NanoCpus":2000000001)"),
            "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available");
  EXPECT_EQ(error_of(R"("CpusetCpus":"1-2")"), "Requested CPUs are not available - requested 1-2, available: 0-1");
  EXPECT_EQ(error_of(R"("CpusetMems":"1")"), "Requested memory nodes are not available - requested 1, available: 0");
  EXPECT_EQ(error_of(R"("CpusetCpus":"a")"), "Invalid value a for cpuset cpus: invalid format: a");
  EXPECT_EQ(error_of(R"("CpusetMems":"1-0")"), "Invalid value 1-0 for cpuset mems: invalid format: 1-0");
  // Where the host says nothing, the kernel has the word.
  EXPECT_EQ(build_host(R"("NanoCpus":90000000000,"CpusetCpus":"70")").spec["linux"]["resources"]["cpu"]["cpus"], "70");
}

TEST(spec, an_apparmor_profile_is_the_processs_where_the_host_has_it) {
  HostFacts facts = generous_host();
  EXPECT_THROW(build_host(R"("SecurityOpt":["apparmor=mine"])", facts), Error);
  facts.has_apparmor = true;
  EXPECT_EQ(build_host(R"("SecurityOpt":["apparmor=mine"])", facts).spec["process"]["apparmorProfile"], "mine");
}

TEST(spec, realtime_limits_are_refused_where_the_kernel_has_none) {
  HostFacts facts = generous_host();
  const char* const fields = R"("CpuRealtimePeriod":1000,"CpuRealtimeRuntime":500)";
  EXPECT_EQ(build_host(fields, facts).spec["linux"]["resources"]["cpu"],
            json::parse(R"({"realtimePeriod":1000,"realtimeRuntime":500})"));
  facts.has_realtime_cpu = false;
  EXPECT_THROW(build_host(fields, facts), Error);
}

TEST(spec, weights_of_single_devices) {
  HostFacts facts = generous_host();
  const char* const fields = R"("BlkioWeightDevice":[{"Path":"/dev/null","Weight":200}])";
  EXPECT_EQ(build_host(fields, facts).spec["linux"]["resources"]["blockIO"]["weightDevice"],
            json::parse(R"([{"major":1,"minor":3,"weight":200}])"));
  facts.has_blkio_weight = false;
  const Built without = build_host(fields, facts);
  EXPECT_FALSE(without.spec["linux"]["resources"].contains("blockIO"));
  EXPECT_EQ(without.warnings.size(), 1u);
}

TEST(spec, sets_of_numbers) {
  EXPECT_EQ(parse_number_set("0-2,7"), (std::set<int>{0, 1, 2, 7}));
  for (const char* bad : {"", "a", "1-", "-1", "3-1", "1,,2", "0-99999", "99999999999"}) {
    EXPECT_EQ(parse_number_set(bad), std::nullopt) << bad;
  }
}

TEST(spec, an_unlimited_number_of_processes_is_no_limit_of_a_new_cgroup) {
  EXPECT_FALSE(build_host(R"("PidsLimit":-1)").spec["linux"]["resources"].contains("pids"));
  EXPECT_EQ(build_host(R"("PidsLimit":9)").spec["linux"]["resources"]["pids"]["limit"], 9);
}

TEST(spec, what_is_no_device_is_refused) {
  for (const char* path : {"/dev/none-such", "/etc"}) {
    try {
      build_host(std::string(R"("Devices":[{"PathOnHost":")") + path + "\"}]");
      ADD_FAILURE() << path;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
      EXPECT_NE(error.message().find(path), std::string::npos);
    }
  }
}

TEST(spec, terminals_and_names_are_passed_on) {
  const json spec =
      build(R"({"Tty":true,"WorkingDir":"/w","Domainname":"d.org","HostConfig":{"ConsoleSize":[24,80]}})").spec;
  EXPECT_EQ(spec["process"]["terminal"], true);
  EXPECT_EQ(spec["process"]["consoleSize"], json::parse(R"({"height":24,"width":80})"));
  EXPECT_EQ(spec["process"]["cwd"], "/w");
  EXPECT_EQ(spec["linux"]["sysctl"]["kernel.domainname"], "d.org");
}

TEST(spec, kernel_parameters_of_the_client_replace_the_defaults) {
  EXPECT_EQ(build_host(R"("Sysctls":{"net.ipv4.ping_group_range":"1 0"})").spec["linux"]["sysctl"],
            json({{"net.ipv4.ping_group_range", "1 0"}}));
}

TEST(spec, kernel_parameters_of_one_interface_are_refused_by_name) {
  try {
    build_host(R"("Sysctls":{"net.ipv4.conf.eth0.log_martians":"1"})");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kNotImplemented);
    EXPECT_EQ(
        error.message(),
        "HostConfig.Sysctls: \"net.ipv4.conf.eth0.log_martians\" is of one network interface, which is not supported");
  }
  const json spec = build_host(R"("Sysctls":{"net.ipv4.conf.all.log_martians":"1","net.core.ethernet":"1"})").spec;
  EXPECT_EQ(spec["linux"]["sysctl"].size(), 3u);
}

TEST(host_facts, status_fields_are_read_as_hexadecimal) {
  EXPECT_EQ(status_field("Name:\tx\nCapBnd:\t000001fffeffffff\nY:\t1\n", "CapBnd"), 0x1fffeffffffu);
  EXPECT_EQ(status_field("Name:\tx\n", "CapBnd"), 0u);
}

TEST(host_facts, this_process_has_some) {
  const HostFacts facts = read_host_facts();
  EXPECT_GT(facts.hard_limits.at("nofile"), 0u);
  EXPECT_GE(facts.oom_score_adj, -1000);
}

}  // namespace
}  // namespace quoll::mgr
