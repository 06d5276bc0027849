#include "cli/docker_config.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "http/base64.hpp"
#include "task/error.hpp"

namespace quoll::cli {
namespace {

class DockerConfigTest : public testing::Test {
 protected:
  DockerConfigTest() {
    std::string name = (std::filesystem::temp_directory_path() / "quoll-config-XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~DockerConfigTest() override { std::filesystem::remove_all(directory_); }

  void write(const std::string& text) { std::ofstream(directory_ / "config.json") << text; }
  nlohmann::json read() {
    std::ifstream in(directory_ / "config.json");
    return nlohmann::json::parse(in);
  }
  nlohmann::json sent(const std::string& server) {
    return nlohmann::json::parse(http::from_base64(config().auth_header(server)).value());
  }
  DockerConfig config() const { return DockerConfig(directory_ / "config.json"); }

  std::filesystem::path directory_;
};

TEST(docker_config, keys_are_dockers) {
  EXPECT_EQ(auth_key("registry.test:5000"), "registry.test:5000");
  EXPECT_EQ(auth_key("https://registry.test/v2/"), "registry.test");
  for (const char* hub : {"", "docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1/"}) {
    EXPECT_EQ(auth_key(hub), "https://index.docker.io/v1/");
  }
}

TEST(docker_config, an_image_leads_to_its_registry) {
  EXPECT_EQ(server_of_image("127.0.0.1:5000/a/b:1"), "127.0.0.1:5000");
  EXPECT_EQ(server_of_image("localhost/a"), "localhost");
  EXPECT_EQ(server_of_image("team/app"), "docker.io");
  EXPECT_EQ(server_of_image("busybox:1.36"), "docker.io");
}

TEST_F(DockerConfigTest, what_is_kept_is_sent_and_private) {
  EXPECT_EQ(config().auth_header("r:1"), "");
  config().keep("r:1", "me", "s3:cret");
  EXPECT_EQ(read()["auths"]["r:1"], (nlohmann::json{{"auth", "bWU6czM6Y3JldA=="}}));
  EXPECT_EQ(sent("r:1"), (nlohmann::json{{"auth", "bWU6czM6Y3JldA=="}, {"serveraddress", "r:1"}}));
  struct stat status{};
  ASSERT_EQ(::stat(config().file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(DockerConfigTest, all_else_in_the_file_stays) {
  write(R"({"HttpHeaders":{"a":"b"},"auths":{"other":{"auth":"eDp5"}}})");
  config().keep("r:1", "me", "x");
  EXPECT_EQ(read()["HttpHeaders"]["a"], "b");
  EXPECT_EQ(sent("other")["auth"], "eDp5");
  EXPECT_TRUE(config().forget("r:1"));
  EXPECT_FALSE(config().forget("r:1"));
  EXPECT_EQ(read()["auths"].size(), 1u);
}

TEST_F(DockerConfigTest, what_a_helper_keeps_is_not_there) {
  write(R"({"auths":{"r:1":{}},"credsStore":"secretservice"})");
  EXPECT_EQ(config().auth_header("r:1"), "");
}

TEST_F(DockerConfigTest, a_file_that_is_none_is_refused_and_left_alone) {
  for (const char* text : {"", "[]", "{", R"({"auths":[]})"}) {
    write(text);
    EXPECT_THROW(config().auth_header("r:1"), Error) << text;
    EXPECT_THROW(config().keep("r:1", "me", "x"), Error) << text;
    std::ifstream in(directory_ / "config.json");
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
  }
}

}  // namespace
}  // namespace quoll::cli
