#include "daemon/config.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "task/error.hpp"

namespace quoll::daemon {
namespace {

std::optional<Config> read(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "quolld");
  return read_config(static_cast<int>(arguments.size()), arguments.data());
}

class ConfigFile {
 public:
  explicit ConfigFile(const char* text) : path_("/tmp/quoll-config-test-" + std::to_string(::getpid()) + ".json") {
    std::ofstream(path_) << text;
  }
  ~ConfigFile() { std::filesystem::remove(path_); }
  const char* path() const { return path_.c_str(); }

 private:
  const std::string path_;
};

TEST(config, debug_routes_can_be_kept_off_the_hosts) {
  EXPECT_TRUE(read({})->debug_on_hosts);
  EXPECT_FALSE(read({"--no-debug-on-hosts"})->debug_on_hosts);
  Config config;
  apply_config_file(config, R"({"debug-on-hosts": false})", {});
  EXPECT_FALSE(config.debug_on_hosts);
  EXPECT_FALSE(config.test_hooks);
  EXPECT_THROW(apply_config_file(config, R"({"test-hooks": true})", {}), Error);
}

TEST(config, has_defaults_below_the_exec_root) {
  const auto config = read({"--exec-root", "/run/x"});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->hosts, std::vector<std::string>{"unix:///run/x/quoll.sock"});
  EXPECT_EQ(config->debug_host, "unix:///run/x/debug.sock");
  EXPECT_EQ(config->pidfile, "/run/x/quolld.pid");
  EXPECT_TRUE(config->live_restore);
  EXPECT_EQ(config->cgroup_parent, "/quoll");
}

TEST(config, takes_repeated_hosts_and_both_names_of_the_root) {
  const auto config =
      read({"--data-root", "/r", "-H", "unix:///a.sock", "--host", "tcp://127.0.0.1:1", "--no-live-restore"});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->root, "/r");
  EXPECT_EQ(config->hosts.size(), 2u);
  EXPECT_FALSE(config->live_restore);
}

TEST(config, the_file_fills_in_and_a_setting_in_both_places_is_refused) {
  const ConfigFile file(
      R"({"data-root": "/from-file", "hosts": ["unix:///b.sock"], "log-level": "debug", "live-restore": false})");
  const auto config = read({"--config", file.path()});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->root, "/from-file");
  EXPECT_EQ(config->hosts, std::vector<std::string>{"unix:///b.sock"});
  EXPECT_FALSE(config->live_restore);
  EXPECT_THROW(read({"--config", file.path(), "--log-level", "info"}), Error);
  EXPECT_THROW(read({"--config", file.path(), "--root", "/x"}), Error);
  EXPECT_THROW(read({"--config", file.path(), "--host", "unix:///c.sock"}), Error);
}

TEST(config, refuses_what_it_does_not_know) {
  for (const char* text : {"", "[]", R"({"no-such-key": 1})", R"({"hosts": "unix:///a"})", R"({"log-level": 3})"}) {
    const ConfigFile file(text);
    EXPECT_THROW(read({"--config", file.path()}), Error) << text;
  }
  EXPECT_THROW(read({"--no-such-flag"}), Error);
  EXPECT_THROW(read({"--log-level", "loud"}), Error);
  EXPECT_THROW(read({"--root", "relative"}), Error);
  for (const char* parent : {"", "/", "relative", "/a/../b", "/a/.", "/a/"}) {
    EXPECT_THROW(read({"--cgroup-parent", parent}), Error) << parent;
  }
  EXPECT_THROW(read({"--config", "/no/such/file"}), Error);
}

TEST(config, parses_hosts) {
  EXPECT_EQ(parse_host("unix:///a/b.sock", false).path, "/a/b.sock");
  const HostAddress tcp = parse_host("tcp://[::1]:2375", false);
  EXPECT_EQ(tcp.address, "::1");
  EXPECT_EQ(tcp.port, 2375);
  for (const char* text :
       {"unix://relative", "http://x", "tcp://127.0.0.1", "tcp://127.0.0.1:x", "tcp://127.0.0.1:99999", ""}) {
    EXPECT_THROW(parse_host(text, false), Error) << text;
  }
}

TEST(config, tcp_beyond_loopback_must_be_asked_for_in_so_many_words) {
  EXPECT_THROW(parse_host("tcp://0.0.0.0:2375", false), Error);
  EXPECT_EQ(parse_host("tcp://0.0.0.0:2375", true).address, "0.0.0.0");
}

}  // namespace
}  // namespace quoll::daemon
