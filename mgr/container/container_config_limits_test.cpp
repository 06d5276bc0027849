// Mounts, limits and security of HostConfig, and the way through JSON and back.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgr/container/container_config.hpp"
#include "mgr/container/container_config_samples.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

HostConfig parse_host(const std::string& fields) {
  return parse_container_config(json::parse("{\"HostConfig\":{" + fields + "}}")).host;
}

std::string error_of(const std::string& fields) {
  try {
    parse_host(fields);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    return error.message();
  }
  return "accepted";
}

TEST(host_config_mounts, binds_are_cleaned_and_their_modes_read) {
  const HostConfig host = parse_host(R"("Binds":["/a/../b//c:/d/./e:ro,rslave,z","/x:/y"])");
  ASSERT_EQ(host.mounts.size(), 2u);
  EXPECT_EQ(host.mounts[0].source, "/b/c");
  EXPECT_EQ(host.mounts[0].target, "/d/e");
  EXPECT_TRUE(host.mounts[0].read_only);
  EXPECT_EQ(host.mounts[0].propagation, "rslave");
  EXPECT_TRUE(host.mounts[0].create_source);
  EXPECT_FALSE(host.mounts[1].read_only);
  EXPECT_EQ(host.mounts[1].propagation, "");
}

TEST(host_config_mounts, bad_binds_are_refused) {
  const std::pair<const char*, const char*> kCases[] = {
      {"/a:b",
       "invalid volume specification: '/a:b': invalid mount config for type \"bind\": invalid mount path: 'b' "
       "mount path must be absolute"},
      {"/a:/",
       "invalid volume specification: '/a:/': invalid mount config for type \"bind\": invalid specification: "
       "destination can't be '/'"},
      {"vv:/b/..",
       "invalid volume specification: 'vv:/b/..': invalid mount config for type \"volume\": invalid "
       "specification: destination can't be '/'"},
      {"/a:/b:foo", "invalid mode: foo"},
      {"/a:/b:ro,rw", "invalid mode: ro,rw"},
      {"/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"},
      {":/b", "invalid volume specification: ':/b'"},
  };
  for (const auto& [bind, words] : kCases) {
    EXPECT_EQ(error_of("\"Binds\":[\"" + std::string(bind) + "\"]"), words);
  }
  EXPECT_EQ(error_of(R"("Binds":["/a:/b","/c:/b/"])"), "Duplicate mount point: /b");
  EXPECT_EQ(error_of(R"("Binds":["/a:/b"],"Tmpfs":{"/b":""})"), "Duplicate mount point: /b");
}

TEST(host_config_mounts, mounts_are_read_in_full) {
  const HostConfig host = parse_host(R"("Mounts":[
    {"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"Consistency":"cached",
     "BindOptions":{"Propagation":"shared","NonRecursive":true,"CreateMountpoint":true}},
    {"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1000,"Mode":511,"Options":[["exec"],["uid","5"]]}}])");
  ASSERT_EQ(host.mounts.size(), 2u);
  const MountConfig bind = {.origin = MountConfig::Origin::kMounts,
                            .source = "/a",
                            .target = "/b",
                            .read_only = true,
                            .recursive = false,
                            .create_source = true,
                            .propagation = "shared"};
  EXPECT_EQ(host.mounts[0], bind);
  EXPECT_EQ(host.mounts[1].tmpfs_size, 1000);
  EXPECT_EQ(host.mounts[1].tmpfs_mode, 0777);
  EXPECT_EQ(host.mounts[1].tmpfs_options, (std::vector<std::string>{"exec", "uid=5"}));
}

TEST(host_config_mounts, bad_mounts_are_refused_in_dockers_words) {
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"bind","Source":"/a","Target":"/b"},{"Type":"foo","Target":"/c"}])"),
            "invalid mount config for type \"foo\": mount type unknown");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"bind","Target":"/b"}])"),
            "invalid mount config for type \"bind\": field Source must not be empty");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"bind","Source":"a","Target":"/b"}])"),
            "invalid mount config for type \"bind\": invalid mount path: 'a' mount path must be absolute");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"tmpfs","Source":"/a","Target":"/b"}])"),
            "invalid mount config for type \"tmpfs\": field Source must not be specified");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"bind","Source":"/a","Target":"/b","BindOptions":{"Propagation":"x"}}])"),
            "invalid mount config for type \"bind\": invalid propagation mode: x");
  EXPECT_EQ(error_of(R"("Tmpfs":{"/t":"size=1m,bind"})"), "invalid tmpfs option \"bind\"");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"Options":[["size","1,exec"]]}}])"),
            "invalid tmpfs option \"size=1,exec\"");
}

TEST(host_config_mounts, options_of_another_type_and_of_no_volume_are_refused) {
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"bind","Source":"/a","Target":"/b","VolumeOptions":{}}])"),
            "VolumeOptions must not be specified on mount type \"bind\"");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"volume","Target":"/b","ReadOnly":true}])"),
            "invalid mount config for type \"volume\": must not set ReadOnly mode when using anonymous volumes");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"volume","Target":"/b","VolumeOptions":{"Subpath":"x"}}])"),
            "invalid mount config for type \"volume\": must not set Subpath when using anonymous volumes");
  EXPECT_EQ(error_of(R"("Mounts":[{"Type":"tmpfs"}])"),
            "invalid mount config for type \"tmpfs\": field Target must not be empty");
}

TEST(host_config_security, capabilities_are_named_in_one_way) {
  const HostConfig host = parse_host(R"("CapAdd":["net_admin","CAP_SYS_TIME","all"],"CapDrop":"chown")");
  EXPECT_EQ(host.cap_add, (std::vector<std::string>{"CAP_NET_ADMIN", "CAP_SYS_TIME", "ALL"}));
  EXPECT_EQ(host.cap_drop, std::vector<std::string>{"CAP_CHOWN"});
  EXPECT_EQ(error_of(R"("CapAdd":["FLY"])"), "invalid CapAdd: unknown capability: \"FLY\"");
}

TEST(host_config_security, security_options_are_read) {
  EXPECT_TRUE(parse_host(R"("SecurityOpt":["no-new-privileges"])").no_new_privileges);
  EXPECT_TRUE(parse_host(R"("SecurityOpt":["no-new-privileges:true"])").no_new_privileges);
  EXPECT_FALSE(parse_host(R"("SecurityOpt":["no-new-privileges=false"])").no_new_privileges);
  EXPECT_EQ(parse_host(R"("SecurityOpt":["seccomp=unconfined"])").seccomp, "unconfined");
  EXPECT_EQ(parse_host(R"("SecurityOpt":["seccomp=builtin","label=disable","apparmor=unconfined"])").seccomp,
            std::nullopt);
  EXPECT_EQ(parse_host(R"("SecurityOpt":["seccomp={\"defaultAction\":\"SCMP_ACT_ALLOW\"}"])").seccomp,
            "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}");
  EXPECT_EQ(error_of(R"("SecurityOpt":["seccomp=/profile.json"])"),
            "HostConfig.SecurityOpt: the seccomp profile is no JSON");
  EXPECT_EQ(error_of(R"("SecurityOpt":["seccomp={\"defaultAction\":\"ALLOW\"}"])"),
            "seccomp.defaultAction: unknown value \"ALLOW\"");
  EXPECT_EQ(error_of(R"("SecurityOpt":["foo=bar"])"), "invalid --security-opt 2: \"foo=bar\"");
}

TEST(host_config_security, sysctls_that_would_change_the_host_are_refused) {
  EXPECT_EQ(
      parse_host(R"("Sysctls":{"net.ipv4.ip_forward":"1","kernel.shmmax":"1","fs.mqueue.msg_max":"9"})").sysctls.size(),
      3u);
  for (const char* bad :
       {R"("Sysctls":{"kernel.core_pattern":"|/x"})", R"("Sysctls":{"net./../kernel.core_pattern":"x"})",
        R"("Sysctls":{"net..x":"1"})", R"("Sysctls":{"":"1"})", R"("Sysctls":{"vm.swappiness":"1"})",
        R"("NetworkMode":"host","Sysctls":{"net.ipv4.ip_forward":"1"})",
        R"("IpcMode":"host","Sysctls":{"kernel.sem":"1"})"}) {
    EXPECT_NE(error_of(bad).find("is not of a namespace that the container has for itself"), std::string::npos) << bad;
  }
}

TEST(host_config_limits, impossible_limits_are_refused_in_dockers_words) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"("Memory":1000)", "Minimum memory limit allowed is 6MB"},
      {R"("MemorySwap":9000000)", "You should always set the Memory limit when using Memoryswap limit, see usage"},
      {R"("Memory":9000000,"MemorySwap":8000000)",
       "Minimum memoryswap limit should be larger than memory limit, see usage"},
      {R"("Memory":9000000,"MemoryReservation":9000001)",
       "Minimum memory limit can not be less than memory reservation limit, see usage"},
      {R"("NanoCpus":1000000000,"CpuPeriod":1000)", "Conflicting options: Nano CPUs and CPU Period cannot both be set"},
      {R"("NanoCpus":1000)", "Range of CPUs is from 0.01"},
      {R"("CpuPeriod":999)", "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"},
      {R"("CpuQuota":999)", "CPU cfs quota can not be less than 1ms (i.e. 1000)"},
      {R"("CpuShares":-1)", "HostConfig.CpuShares: must not be negative"},
      {R"("OomScoreAdj":1001)", "Invalid value 1001, range for oom score adj is [-1000, 1000]"},
      {R"("BlkioWeight":5)", "Range of blkio weight is from 10 to 1000"},
      {R"("ShmSize":-1)", "SHM size can not be less than 0"},
      {R"("Ulimits":[{"Name":"foo","Soft":1,"Hard":1}])", "invalid ulimit type: foo"},
      {R"("Ulimits":[{"Name":"core","Soft":2,"Hard":1}])",
       "ulimit soft limit must be less than or equal to hard limit: 2 > 1"},
      {R"("Devices":[{"PathOnHost":"x"}])", "HostConfig.Devices.PathOnHost: must be absolute: \"x\""},
      {R"("Devices":[{"PathOnHost":"/dev/x","CgroupPermissions":"x"}])", "invalid device mode: x"},
  };
  for (const auto& [fields, message] : kCases) EXPECT_EQ(error_of(fields), message);
}

TEST(host_config_limits, whatever_number_of_processes_is_below_zero_is_unlimited) {
  EXPECT_EQ(parse_host(R"("PidsLimit":-5)").pids_limit, -1);
}

TEST(host_config_limits, unlimited_is_minus_one) {
  const HostConfig host = parse_host(
      R"("PidsLimit":-1,"Memory":9000000,"MemorySwap":-1,"CpuQuota":-1,
         "Ulimits":[{"Name":"core","Soft":-1,"Hard":-1}])");
  EXPECT_EQ(host.pids_limit, -1);
  EXPECT_EQ(host.memory_swap, -1);
  EXPECT_EQ(host.ulimits[0].hard, -1);
}

// Everything that can be set, so that a field that is forgotten on the way to JSON or back fails.
constexpr const char* kEverything = R"json({
  "Hostname":"h","Domainname":"d.org","User":"u:g","AttachStdin":true,"AttachStdout":true,"AttachStderr":true,
  "ExposedPorts":{"80/tcp":{},"53/udp":{}},"Tty":true,"OpenStdin":true,"StdinOnce":true,"Env":["A=1","B"],
  "Cmd":["c","d"],"Entrypoint":["e"],"Image":"i:t","Labels":{"l":"v"},"WorkingDir":"/w","StopSignal":"INT",
  "StopTimeout":-1,
  "HostConfig":{"Binds":["/a:/b:ro,rshared","/c:/d"],
    "Mounts":[{"Type":"bind","Source":"/e","Target":"/f","ReadOnly":true,
               "BindOptions":{"Propagation":"slave","NonRecursive":true,"ReadOnlyNonRecursive":true,
                              "CreateMountpoint":true}},
              {"Type":"tmpfs","Target":"/g","ReadOnly":true,
               "TmpfsOptions":{"SizeBytes":4096,"Mode":448,"Options":[["exec"],["size","5"],["mode","0700"]]}}],
    "Tmpfs":{"/h":"size=1m,exec","/i":""},
    "LogConfig":{"Type":"json-file","Config":{"max-size":"10k","max-file":"2"}},
    "NetworkMode":"bridge","AutoRemove":true,"ConsoleSize":[24,80],"CapAdd":["ALL"],"CapDrop":["CAP_CHOWN"],
    "CgroupnsMode":"private","Dns":["1.1.1.1"],"DnsOptions":["ndots:1"],"DnsSearch":["x.org"],"ExtraHosts":["n:::1"],
    "GroupAdd":["5","wheel"],"IpcMode":"shareable","PidMode":"host","UsernsMode":"host","OomScoreAdj":-5,
    "Privileged":true,"ReadonlyRootfs":true,"SecurityOpt":["no-new-privileges","seccomp=unconfined"],"ShmSize":4096,
    "Sysctls":{"net.ipv4.ip_forward":"1"},"Runtime":"crun","CpuShares":2,"CpuPeriod":1000,"CpuQuota":2000,
    "CpusetCpus":"0-1","CpusetMems":"0","Memory":8000000,"MemoryReservation":7000000,"MemorySwap":9000000,
    "PidsLimit":-1,"BlkioWeight":10,"Ulimits":[{"Name":"core","Soft":1,"Hard":-1}],
    "Devices":[{"PathOnHost":"/dev/null","PathInContainer":"/dev/n","CgroupPermissions":"r"}],
    "MaskedPaths":["/m"],"ReadonlyPaths":[],"ContainerIDFile":"/cid"}})json";

TEST(container_config_json, what_is_stored_comes_back_equal) {
  for (const char* body : {kEverything, kDockerRunTrue, kDockerCreateHostModes, "{}", R"({"Entrypoint":[]})",
                           R"({"HostConfig":{"NanoCpus":1500000000,"UTSMode":"host"}})"}) {
    const ContainerConfig config = parse_container_config(json::parse(body));
    EXPECT_EQ(config_from_json(json::parse(config_to_json(config).dump())), config) << body;
  }
}

TEST(container_config_json, what_only_an_image_can_set_comes_back_too) {
  ContainerConfig config = parse_container_config(json::parse(R"({"Cmd":["x"]})"));
  config.volumes = {"/v"};
  config.hostname = "filled-in";
  config.host.uts_mode = "host";
  EXPECT_EQ(config_from_json(config_to_json(config)), config);
}

TEST(container_config_json, inspect_shows_all_that_was_set) {
  const ContainerConfig config = parse_container_config(json::parse(kEverything));
  const json asked = json::parse(kEverything);
  const json shown = config_inspect_json(config), host = host_config_inspect_json(config.host);
  for (const auto& [key, value] : asked.items()) {
    if (key != "HostConfig") EXPECT_EQ(shown[key], value) << key;
  }
  for (const auto& [key, value] : asked["HostConfig"].items()) {
    if (key != "Ulimits") EXPECT_EQ(host[key], value) << key;
  }
}

TEST(container_config_json, inspect_has_every_field_that_the_docker_command_sends) {
  const json sent = json::parse(kDockerRunTrue);
  const ContainerConfig config = parse_container_config(sent);
  const json host = host_config_inspect_json(config.host);
  for (const auto& [key, value] : sent["HostConfig"].items()) EXPECT_TRUE(host.contains(key)) << key;
  EXPECT_EQ(host["ShmSize"], kDefaultShmSize);
  EXPECT_EQ(host["IpcMode"], "private");
  EXPECT_EQ(host["LogConfig"]["Type"], "json-file");
}

TEST(container_config_json, mounts_are_listed_as_docker_lists_them) {
  const HostConfig host =
      parse_host(R"("Binds":["/a:/b:ro"],"Tmpfs":{"/t":""},"Mounts":[{"Type":"tmpfs","Target":"/q"}])");
  const json expected = {
      {{"Type", "bind"},
       {"Source", "/a"},
       {"Destination", "/b"},
       {"Mode", "ro"},
       {"RW", false},
       {"Propagation", "rprivate"}},
      {{"Type", "tmpfs"}, {"Source", ""}, {"Destination", "/q"}, {"Mode", ""}, {"RW", true}, {"Propagation", ""}}};
  EXPECT_EQ(mounts_inspect_json(host.mounts), expected);
}

TEST(container_config_json, the_mark_of_a_builds_container_is_the_stores_alone) {
  ContainerConfig config = parse_container_config(json::parse(R"({"Image":"x"})"));
  config.build_step = true;
  const json stored = config_to_json(config);
  EXPECT_EQ(config_from_json(stored), config);
  EXPECT_THROW(parse_container_config(stored), Error);
  EXPECT_FALSE(config_inspect_json(config).contains("BuildStep"));
}

TEST(container_config_json, a_damaged_stored_document_names_the_field) {
  json stored = config_to_json(parse_container_config(json::parse(kEverything)));
  stored["HostConfig"]["Memory"] = "much";
  try {
    config_from_json(stored);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "HostConfig.Memory: expected a number");
  }
}

}  // namespace
}  // namespace quoll::mgr
