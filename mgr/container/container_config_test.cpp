#include "mgr/container/container_config.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgr/container/container_config_samples.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

ContainerConfig parse(const std::string& body) { return parse_container_config(json::parse(body)); }

// "class: message" of what parsing throws.
std::string error_of(const std::string& body) {
  try {
    parse(body);
  } catch (const Error& error) {
    return std::string(to_string(error.error_class())) + ": " + error.message();
  }
  return "accepted";
}

std::string host_error_of(const std::string& host_fields) { return error_of("{\"HostConfig\":{" + host_fields + "}}"); }

ContainerConfig resolve(const std::string& body, const std::string& image) {
  return resolve_with_image(parse(body), json::parse(image));
}

using Words = std::vector<std::string>;

TEST(container_config, the_docker_commands_plainest_body_is_all_defaults) {
  ContainerConfig expected;
  expected.cmd = {"true"};
  expected.image = "busybox";
  EXPECT_EQ(parse(kDockerRunTrue), expected);
}

TEST(container_config, reads_what_the_docker_command_sends_for_host_modes) {
  const ContainerConfig config = parse(kDockerCreateHostModes);
  EXPECT_EQ(config.user, "1:2");
  EXPECT_EQ(config.working_dir, "/w");
  EXPECT_EQ(config.stop_signal, "INT");
  EXPECT_EQ(stop_signal_number(config), 2);
  EXPECT_EQ(config.stop_timeout, 5);
  EXPECT_EQ(config.exposed_ports, Words{"8080/tcp"});
  EXPECT_FALSE(config.entrypoint.has_value());
  EXPECT_TRUE(config.attach_stdout);
  const HostConfig& host = config.host;
  EXPECT_EQ(host.network_mode + host.pid_mode + host.ipc_mode + host.uts_mode + host.cgroupns_mode,
            "hosthosthosthosthost");
  EXPECT_EQ(host.log.max_size, 1'000'000);
  EXPECT_TRUE(host.readonly_rootfs);
  EXPECT_TRUE(host.auto_remove);
  EXPECT_EQ(host.oom_score_adj, 5);
  EXPECT_EQ(host.shm_size, 1 << 20);
  EXPECT_EQ(host.blkio_weight, 100);
  EXPECT_EQ(host.group_add, Words{"5"});
}

TEST(container_config, nulls_and_missing_fields_are_defaults) {
  EXPECT_EQ(parse("{}"), ContainerConfig());
  EXPECT_EQ(parse(R"({"Cmd":null,"Env":null,"Tty":null,"Labels":null,"HostConfig":null,"NetworkingConfig":null})"),
            ContainerConfig());
  EXPECT_EQ(
      parse(R"({"HostConfig":{"Memory":null,"LogConfig":null,"Mounts":null,"RestartPolicy":null,"PidsLimit":null}})"),
      ContainerConfig());
}

TEST(container_config, commands_may_be_one_string) {
  const ContainerConfig config = parse(R"({"Cmd":"echo a b","Entrypoint":"/init"})");
  EXPECT_EQ(config.cmd, Words{"echo a b"});
  EXPECT_EQ(config.entrypoint, Words{"/init"});
  EXPECT_EQ(parse(R"({"Entrypoint":[]})").entrypoint, Words());
}

TEST(container_config, wrong_types_name_the_field) {
  EXPECT_EQ(error_of("[]"), "invalid_argument: body: expected an object");
  EXPECT_EQ(error_of(R"({"Tty":1})"), "invalid_argument: Tty: expected true or false");
  EXPECT_EQ(error_of(R"({"Image":1})"), "invalid_argument: Image: expected a string");
  EXPECT_EQ(error_of(R"({"Env":"A=b"})"), "invalid_argument: Env: expected a list of strings");
  EXPECT_EQ(error_of(R"({"Env":["A=b",1]})"), "invalid_argument: Env: expected a string");
  EXPECT_EQ(error_of(R"({"Cmd":{}})"), "invalid_argument: Cmd: expected a list of strings");
  EXPECT_EQ(error_of(R"({"Labels":{"a":1}})"), "invalid_argument: Labels.a: expected a string");
  EXPECT_EQ(error_of(R"({"ExposedPorts":["80"]})"), "invalid_argument: ExposedPorts: expected an object");
  EXPECT_EQ(error_of(R"({"HostConfig":[]})"), "invalid_argument: HostConfig: expected an object");
  EXPECT_EQ(host_error_of(R"("Memory":"1g")"), "invalid_argument: HostConfig.Memory: expected a number");
  EXPECT_EQ(host_error_of(R"("Memory":1.5)"), "invalid_argument: HostConfig.Memory: expected a whole number");
  EXPECT_EQ(host_error_of(R"("Memory":18446744073709551615)"),
            "invalid_argument: HostConfig.Memory: number out of range");
  EXPECT_EQ(host_error_of(R"("Binds":{})"), "invalid_argument: HostConfig.Binds: expected a list of strings");
  EXPECT_EQ(host_error_of(R"("Devices":[1])"), "invalid_argument: HostConfig.Devices: expected an object");
}

TEST(container_config, a_nul_character_is_refused_wherever_it_is) {
  EXPECT_EQ(error_of(R"({"Cmd":["a\u0000b"]})"), "invalid_argument: Cmd: contains a NUL character");
  EXPECT_EQ(host_error_of(R"("Binds":["/a\u0000:/b"])"),
            "invalid_argument: HostConfig.Binds: contains a NUL character");
  EXPECT_EQ(error_of(R"({"Labels":{"a\u0000":"b"}})"), "invalid_argument: Labels: contains a NUL character");
}

TEST(container_config, what_is_not_done_yet_is_refused_by_name) {
  EXPECT_EQ(error_of(R"({"Invented":[{"a":1}]})"), "not_implemented: Invented is not supported yet");
  const std::pair<const char*, const char*> kHostCases[] = {
      {R"("Mounts":[{"Type":"image","Target":"/x"}])", "HostConfig.Mounts[0].Type \"image\""},
      {R"("LogConfig":{"Type":"syslog"})", "HostConfig.LogConfig.Type \"syslog\""},
      {R"("LogConfig":{"Type":"json-file","Config":{"compress":"true"}})", "HostConfig.LogConfig.Config.compress"},
      {R"("DeviceRequests":[{"Count":-1}])", "HostConfig.DeviceRequests"},
      {R"("StorageOpt":{"size":"1G"})", "HostConfig.StorageOpt"},
      {R"("Isolation":"hyperv")", "HostConfig.Isolation \"hyperv\""},
  };
  for (const auto& [fields, name] : kHostCases) {
    EXPECT_EQ(host_error_of(fields), "not_implemented: " + std::string(name) + " is not supported yet");
  }
}

TEST(container_config, the_same_fields_with_default_values_pass) {
  EXPECT_EQ(parse(R"({"Healthcheck":{},"MacAddress":"","OnBuild":null,"Volumes":{},"ArgsEscaped":false,
    "HostConfig":{"PortBindings":{},"PublishAllPorts":false,"Links":[],"VolumesFrom":null,"Init":null,
      "CgroupParent":"","MemorySwappiness":-1,"StorageOpt":{},"Isolation":"default","UsernsMode":"",
      "RestartPolicy":{"Name":""},
      "BlkioDeviceReadBps":[],"DeviceRequests":null,"IOMaximumIOps":0}})"),
            ContainerConfig());
  EXPECT_EQ(error_of(R"({"Healthcheck":{"Test":["NONE"]}})"), "accepted");
}

TEST(container_config, deep_nesting_is_refused_and_not_walked) {
  const std::string deep = std::string(20000, '[') + std::string(20000, ']');
  EXPECT_EQ(error_of("{\"X\":" + deep + "}"), "not_implemented: X is not supported yet");
}

TEST(container_config, endpoints_are_read_with_all_that_a_client_may_set) {
  const ContainerConfig config = parse(R"({"MacAddress":"02:42:00:00:00:01","HostConfig":{"NetworkMode":"mine"},
    "NetworkingConfig":{"EndpointsConfig":{"other":null,"mine":{"IPAMConfig":{"IPv4Address":"10.0.0.5"},
      "Aliases":["a"],"Links":["db:store"],"GwPriority":3}}}})");
  ASSERT_EQ(config.endpoints.size(), 2u);
  EXPECT_EQ(config.endpoints[0].network, "mine");
  EXPECT_EQ(to_string(*config.endpoints[0].ipv4), "10.0.0.5");
  EXPECT_EQ(to_string(*config.endpoints[0].mac), "02:42:00:00:00:01");
  EXPECT_EQ(config.endpoints[0].aliases, Words{"a"});
  EXPECT_EQ(config.endpoints[0].links, Words{"db:store"});
  EXPECT_EQ(config.endpoints[0].gateway_priority, 3);
  EXPECT_EQ(config.endpoints[1].network, "other");
  EXPECT_EQ(error_of(R"({"NetworkingConfig":{"EndpointsConfig":{"a":{"IPAMConfig":{"IPv4Address":"x"}}}}})"),
            "invalid_argument: NetworkingConfig.EndpointsConfig.a.IPAMConfig.IPv4Address: invalid IPv4 address: x");
  EXPECT_EQ(error_of(R"({"NetworkingConfig":{"EndpointsConfig":{"a":{"Colour":"red"}}}})"),
            "not_implemented: NetworkingConfig.EndpointsConfig.a.Colour is not supported yet");
}

TEST(container_config, published_ports_are_the_bindings_and_with_publish_all_the_exposed) {
  const ContainerConfig config = parse(R"({"ExposedPorts":{"80/tcp":{},"53/udp":{}},"HostConfig":{
    "PublishAllPorts":true,"PortBindings":{"80/tcp":[{"HostIp":"127.0.0.1","HostPort":"8000-8010"}]}}})");
  const std::vector<PortBinding> expected{
      {.container = {80, PortProtocol::kTcp}, .host_ip = "127.0.0.1", .first = 8000, .last = 8010},
      {.container = {53, PortProtocol::kUdp}}};
  EXPECT_EQ(published_ports(config), expected);
  EXPECT_EQ(config_from_json(config_to_json(config)), config);
  EXPECT_TRUE(published_ports(parse(R"({"HostConfig":{"NetworkMode":"host","PublishAllPorts":true,
    "PortBindings":{"80/tcp":[{"HostPort":"80"}]}}})"))
                  .empty());
  for (const char* bad : {R"({"x/tcp":[{}]})", R"({"80/tcp":[{"HostPort":"9-8"}]})", R"({"80/tcp":[{"HostPort":"x"}]})",
                          R"({"80/tcp":[{"HostIp":"h"}]})", R"({"0/tcp":[{}]})", R"({"80/tcp":{}})"}) {
    EXPECT_THROW(parse(std::string(R"({"HostConfig":{"PortBindings":)") + bad + "}}"), Error) << bad;
  }
}

TEST(container_config, what_shares_anothers_network_has_nothing_of_its_own) {
  const auto error = [](const std::string& top, const std::string& host) {
    return error_of("{" + top + R"("HostConfig":{"NetworkMode":"container:a")" + host + "}}");
  };
  EXPECT_EQ(error("", ""), "accepted");
  EXPECT_EQ(error(R"("Hostname":"h",)", ""), "invalid_argument: conflicting options: hostname and the network mode");
  EXPECT_EQ(error("", R"(,"PublishAllPorts":true)"),
            "invalid_argument: conflicting options: port publishing and the container type network mode");
  EXPECT_EQ(error("", R"(,"Dns":["1.1.1.1"])"), "invalid_argument: conflicting options: dns and the network mode");
}

TEST(container_config, wrong_values_name_the_field) {
  EXPECT_EQ(error_of(R"({"StopSignal":"FOO"})"), "invalid_argument: invalid signal: FOO");
  EXPECT_EQ(error_of(R"({"WorkingDir":"a"})"),
            "invalid_argument: the working directory 'a' is invalid, it needs to be an absolute path");
  EXPECT_EQ(error_of(R"({"Env":["=x"]})"), "invalid_argument: invalid environment variable: =x");
  EXPECT_EQ(error_of(R"({"Hostname":"a b"})"), "invalid_argument: Hostname: invalid hostname: a b");
  EXPECT_EQ(error_of(R"({"Hostname":"a\nb"})"), "invalid_argument: Hostname: invalid hostname: a\nb");
  EXPECT_EQ(error_of(R"({"ExposedPorts":{"80/xxx":{}}})"), "invalid_argument: ExposedPorts: invalid port \"80/xxx\"");
  EXPECT_EQ(error_of(R"({"Hostname":"a","HostConfig":{"UTSMode":"host"}})"),
            "invalid_argument: conflicting options: hostname and the UTS mode");
  EXPECT_EQ(host_error_of(R"("IpcMode":"foo")"), "invalid_argument: invalid IPC mode: foo");
  EXPECT_EQ(host_error_of(R"("Dns":["dns.example"])"),
            "invalid_argument: HostConfig.Dns: \"dns.example\" is no IP address");
  EXPECT_EQ(host_error_of(R"("DnsSearch":["a\nnameserver 1.1.1.1"])"),
            "invalid_argument: HostConfig.DnsSearch: invalid value \"a\nnameserver 1.1.1.1\"");
  EXPECT_EQ(host_error_of(R"("RestartPolicy":{"Name":"maybe"})").substr(0, 47),
            "invalid_argument: invalid restart policy: unkno");
}

TEST(container_config, extra_hosts_are_read_in_both_spellings) {
  EXPECT_EQ(
      parse(R"({"HostConfig":{"ExtraHosts":["a:1.2.3.4","b=::1","c:[fe80::1]","d:host-gateway"]}})").host.extra_hosts,
      (Words{"a:1.2.3.4", "b:::1", "c:fe80::1", "d:host-gateway"}));
  EXPECT_EQ(host_error_of(R"("ExtraHosts":["a:b"])"), "invalid_argument: invalid IP address in add-host: \"b\"");
}

TEST(container_config, log_options_are_read_in_dockers_units) {
  const auto log = [](const char* config) {
    return parse(std::string(R"({"HostConfig":{"LogConfig":{"Type":"","Config":)") + config + "}}}").host.log;
  };
  EXPECT_EQ(log(R"({"max-size":"10m","max-file":"3"})").max_size, 10'000'000);
  EXPECT_EQ(log(R"({"max-size":"10m","max-file":"3"})").max_files, 3);
  EXPECT_EQ(log(R"({"max-size":"1.5k"})").max_size, 1500);
  EXPECT_EQ(log(R"({"max-size":"100"})").max_size, 100);
  EXPECT_EQ(log(R"({"max-size":"2KB"})").max_size, 2000);
  EXPECT_EQ(log(R"({"max-size":"-1"})").max_size, -1);
  for (const char* bad : {R"({"max-size":"x"})", R"({"max-size":"1z"})", R"({"max-size":"0"})", R"({"max-size":"-5m"})",
                          R"({"max-size":""})", R"({"max-file":"0"})", R"({"max-file":"x"})", R"({"foo":"x"})"}) {
    EXPECT_THROW(log(bad), Error) << bad;
  }
  EXPECT_EQ(parse(R"({"HostConfig":{"LogConfig":{"Type":"none"}}})").host.log.driver, "none");
}

TEST(container_config, resolve_takes_the_image_where_the_client_is_silent) {
  const char* image = R"({"config":{"Entrypoint":["/e"],"Cmd":["c"],"Env":["A=1","B=2"],"WorkingDir":"/w","User":"u",
    "Labels":{"x":"1","y":"2"},"StopSignal":"SIGINT","ExposedPorts":{"80/tcp":{}},"Volumes":{"/v":{}}}})";
  const ContainerConfig silent = resolve("{}", image);
  EXPECT_EQ(silent.entrypoint, Words{"/e"});
  EXPECT_EQ(silent.cmd, Words{"c"});
  EXPECT_EQ(silent.env, (Words{"A=1", "B=2"}));
  EXPECT_EQ(silent.working_dir, "/w");
  EXPECT_EQ(silent.user, "u");
  EXPECT_EQ(silent.stop_signal, "SIGINT");
  EXPECT_EQ(silent.exposed_ports, Words{"80/tcp"});
  EXPECT_EQ(silent.volumes, Words{"/v"});
  const ContainerConfig loud =
      resolve(R"({"Env":["B=3","C"],"WorkingDir":"/m/./x/..","User":"me","Labels":{"x":"9"},"StopSignal":"9"})", image);
  EXPECT_EQ(loud.env, (Words{"B=3", "C", "A=1"}));
  EXPECT_EQ(loud.working_dir, "/m");
  EXPECT_EQ(loud.user, "me");
  EXPECT_EQ(loud.labels, (std::map<std::string, std::string>{{"x", "9"}, {"y", "2"}}));
  EXPECT_EQ(loud.stop_signal, "9");
}

TEST(container_config, resolve_merges_commands_as_docker_does) {
  const char* image = R"({"config":{"Entrypoint":["/e"],"Cmd":["c"]}})";
  const auto words = [&](const char* body) {
    const ContainerConfig config = resolve(body, image);
    Words all = config.entrypoint.value_or(Words());
    all.insert(all.end(), config.cmd.begin(), config.cmd.end());
    return all;
  };
  EXPECT_EQ(words(R"({"Cmd":["x"]})"), (Words{"/e", "x"}));
  EXPECT_EQ(words(R"({"Entrypoint":["/mine"]})"), Words{"/mine"});
  EXPECT_EQ(words(R"({"Entrypoint":["/mine"],"Cmd":["x"]})"), (Words{"/mine", "x"}));
  EXPECT_EQ(words(R"({"Entrypoint":[],"Cmd":["x"]})"), Words{"x"});
  EXPECT_EQ(words(R"({"Entrypoint":[]})"), Words{"c"});
  EXPECT_EQ(words(R"({"Entrypoint":[""],"Cmd":["x"]})"), Words{"x"});
}

TEST(container_config, without_any_command_there_is_no_container) {
  for (const auto& [body, image] : {std::pair("{}", "{}"), std::pair("{}", R"({"config":null})"),
                                    std::pair(R"({"Entrypoint":[""]})", R"({"config":{"Cmd":["c"]}})")}) {
    try {
      resolve(body, image);
      ADD_FAILURE() << body;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
      EXPECT_EQ(error.message(), "no command specified");
    }
  }
}

TEST(container_config, a_malformed_image_fails_the_request) {
  EXPECT_THROW(resolve("{}", R"({"config":{"Cmd":1}})"), Error);
  EXPECT_THROW(resolve("{}", R"({"config":{"Cmd":["c"],"StopSignal":"NOPE"}})"), Error);
  EXPECT_THROW(resolve("{}", R"({"config":{"Cmd":["c"],"Env":[""]}})"), Error);
  EXPECT_THROW(resolve("{}", "[]"), Error);
  EXPECT_EQ(resolve("{}", R"({"config":{"Cmd":["c"],"WorkingDir":"app"}})").working_dir, "/app");
}

TEST(container_config, the_host_name_is_its_own_then_the_hosts_then_the_short_id) {
  const std::string id(64, 'a');
  EXPECT_EQ(effective_hostname(parse(R"({"Hostname":"web"})"), id, "vm"), "web");
  EXPECT_EQ(effective_hostname(parse(R"({"HostConfig":{"UTSMode":"host"}})"), id, "vm"), "vm");
  EXPECT_EQ(effective_hostname(parse(R"({"HostConfig":{"NetworkMode":"host"}})"), id, "vm"), "vm");
  EXPECT_EQ(effective_hostname(parse("{}"), id, "vm"), std::string(12, 'a'));
}

}  // namespace
}  // namespace quoll::mgr
