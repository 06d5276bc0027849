#include "mgr/container/spec_files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

namespace fs = std::filesystem;

ContainerConfig parse(const std::string& host_fields, const std::string& domain = "") {
  return parse_container_config(
      nlohmann::json::parse("{\"Domainname\":\"" + domain + "\",\"HostConfig\":{" + host_fields + "}}"));
}

const HostFiles kHost = {"127.0.0.1 host-only",
                         "nameserver 127.0.0.53\nnameserver 9.9.9.9\nsearch corp.example\noptions edns0\n"};

std::string resolv_conf(const std::string& host_fields) {
  return container_files(parse(host_fields), "web", {}, kHost).resolv_conf;
}

TEST(container_files, the_host_name_is_a_line) {
  EXPECT_EQ(container_files(parse(""), "web", {}, kHost).hostname, "web\n");
}

TEST(container_files, hosts_has_localhost_extra_hosts_and_the_container) {
  const std::string hosts = container_files(parse(R"("ExtraHosts":["db:10.0.0.2","six:::7"])", "ex.org"), "web",
                                            {.addresses = {"10.0.0.9"}}, kHost)
                                .hosts;
  EXPECT_TRUE(hosts.starts_with("127.0.0.1\tlocalhost\n::1\tlocalhost"));
  EXPECT_TRUE(hosts.ends_with("10.0.0.2\tdb\n::7\tsix\n10.0.0.9\tweb.ex.org web\n")) << hosts;
  EXPECT_EQ(hosts.find("host-only"), std::string::npos);
}

TEST(container_files, with_the_hosts_network_its_files_are_copied) {
  const ContainerFiles files =
      container_files(parse(R"("NetworkMode":"host","ExtraHosts":["db:10.0.0.2"])"), "vm", {}, kHost);
  EXPECT_EQ(files.hosts, "127.0.0.1 host-only\n10.0.0.2\tdb\n");
  EXPECT_EQ(files.resolv_conf, kHost.resolv_conf);
}

TEST(container_files, an_edit_of_hosts_changes_the_networks_lines_alone) {
  const ContainerConfig config = parse("");
  const NetworkFileFacts before{.addresses = {"10.0.0.9"}, .links = {{"10.0.0.2", "db store"}}};
  const NetworkFileFacts after{.addresses = {"10.0.0.9", "10.1.0.3"}};
  const std::string hosts = container_files(config, "web", before, kHost).hosts + "1.2.3.4\tmine\n";
  const std::string edited = edit_hosts(hosts, config, "web", before, after);
  EXPECT_TRUE(edited.ends_with("1.2.3.4\tmine\n10.0.0.9\tweb\n10.1.0.3\tweb\n")) << edited;
  EXPECT_EQ(edited.find("store"), std::string::npos);
  EXPECT_TRUE(edited.starts_with("127.0.0.1\tlocalhost\n"));
}

TEST(container_files, a_networks_own_name_server_takes_the_place_of_all_others) {
  const NetworkFileFacts network{.name_servers = {"172.20.0.1"}};
  EXPECT_EQ(container_files(parse(R"("Dns":["1.1.1.1"])"), "web", network, kHost).resolv_conf,
            "nameserver 172.20.0.1\nsearch corp.example\noptions edns0\noptions ndots:0\n");
}

TEST(container_files, a_resolver_on_the_hosts_loopback_is_left_out) {
  EXPECT_EQ(resolv_conf(""), "nameserver 9.9.9.9\nsearch corp.example\noptions edns0\n");
}

TEST(container_files, what_the_client_says_of_dns_replaces_the_hosts) {
  EXPECT_EQ(resolv_conf(R"("Dns":["1.1.1.1","::1"])"),
            "nameserver 1.1.1.1\nnameserver ::1\nsearch corp.example\noptions edns0\n");
  EXPECT_EQ(resolv_conf(R"("DnsSearch":["a.org","b.org"],"DnsOptions":["ndots:2"])"),
            "nameserver 9.9.9.9\nsearch a.org b.org\noptions ndots:2\n");
  EXPECT_EQ(resolv_conf(R"("DnsSearch":["."])"), "nameserver 9.9.9.9\noptions edns0\n");
}

class FilesOnDiskTest : public testing::Test {
 protected:
  FilesOnDiskTest() {
    std::string pattern = (fs::temp_directory_path() / "quoll_files_XXXXXX").string();
    dir_ = ::mkdtemp(pattern.data());
  }
  ~FilesOnDiskTest() override { fs::remove_all(dir_); }
  std::string dir_;
};

TEST_F(FilesOnDiskTest, files_are_readable_for_all_whatever_the_umask_and_replaced_whole) {
  const mode_t old = ::umask(077);
  write_container_files(dir_, {"a much longer name\n", "h", "r"});
  const ContainerFilePaths paths = write_container_files(dir_, {"n\n", "h\n", "r\n"});
  ::umask(old);
  for (const auto& [path, text] :
       {std::pair(paths.hostname, "n\n"), std::pair(paths.hosts, "h\n"), std::pair(paths.resolv_conf, "r\n")}) {
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0644u);
    std::ifstream file(path);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), text);
  }
}

TEST_F(FilesOnDiskTest, a_missing_source_of_binds_is_made_and_one_of_mounts_is_refused) {
  prepare_bind_sources(parse("\"Binds\":[\"" + dir_ + "/new/deep:/x\"]"));
  EXPECT_TRUE(fs::is_directory(dir_ + "/new/deep"));
  const std::string missing = dir_ + "/none";
  try {
    prepare_bind_sources(parse(R"("Mounts":[{"Type":"bind","Target":"/x","Source":")" + missing + "\"}]"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "invalid mount config for type \"bind\": bind source path does not exist: " + missing);
  }
  EXPECT_FALSE(fs::exists(missing));
}

}  // namespace
}  // namespace quoll::mgr
