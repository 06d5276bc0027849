// A small client of gops' protocol against an agent: what it finds, what it is told, and what its leaving ends.
#include "debug/gops.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "task/block_on.hpp"
#include "tests/debug_readers/dump_parser.hpp"

namespace quoll::debug {
namespace {

namespace fs = std::filesystem;
using debug_readers::DumpParser;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::StartsWith;

class Gops : public ::testing::Test {
 protected:
  Gops() : worker_(runtime_.add_worker("debug")) {
    std::string pattern = (fs::temp_directory_path() / "quoll-gops-XXXXXX").string();
    directory_ = fs::path(::mkdtemp(pattern.data())) / "config" / "gops";
    runtime_.start();
    agent_ = std::make_unique<GopsAgent>(runtime_, worker_, directory_);
  }
  ~Gops() override {
    task::block_on(worker_, "stop", agent_->stop());
    EXPECT_FALSE(fs::exists(port_file()));
    EXPECT_EQ(runtime_.task_count(), 0u);
    fs::remove_all(directory_.parent_path().parent_path());
  }

  fs::path port_file() const { return directory_ / std::to_string(::getpid()); }
  // As the client does it: by the file.
  UniqueFd connect() const {
    std::uint16_t port = 0;
    std::ifstream(port_file()) >> port;
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  std::string ask(std::string_view bytes) const {
    const UniqueFd fd = connect();
    EXPECT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    std::string answer;
    char buffer[4096];
    while (const ssize_t count = ::read(fd.get(), buffer, sizeof buffer)) {
      if (count < 0) break;
      answer.append(buffer, static_cast<std::size_t>(count));
    }
    return answer;
  }
  void wait_for_tasks(std::size_t count) const {
    const auto bound = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (runtime_.task_count() != count && std::chrono::steady_clock::now() < bound) std::this_thread::yield();
    EXPECT_EQ(runtime_.task_count(), count);
  }

  task::Runtime runtime_;
  task::Worker& worker_;
  fs::path directory_;
  std::unique_ptr<GopsAgent> agent_;
};

TEST_F(Gops, writes_the_port_where_clients_look) {
  std::ifstream file(port_file());
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(text, std::to_string(agent_->port()));
}

TEST_F(Gops, sends_the_stacks_of_all_tasks) {
  const std::string text = ask("\x01");
  EXPECT_THAT(text, HasSubstr("quoll::debug::GopsAgent::accept_loop(...)"));
  EXPECT_GE(DumpParser::parse(text).size(), 2u);
}

TEST_F(Gops, sends_numbers_in_gos_lines) {
  EXPECT_THAT(ask("\x07"), MatchesRegex("goroutines: [0-9]+\nOS threads: [0-9]+\nGOMAXPROCS: 1\nnum CPU: [0-9]+\n"));
  EXPECT_THAT(ask("\x03"), MatchesRegex("alloc: [0-9.]+MB \\([0-9]+ bytes\\)\nsys: (.|\n)*heap-in-use: .*\n"));
  EXPECT_THAT(ask("\x04"), StartsWith("quoll "));
  EXPECT_EQ(ask("\x02"), "ok");
}

TEST_F(Gops, sends_the_program_itself) {
  const std::string program = ask("\x09");
  EXPECT_EQ(program.size(), fs::file_size("/proc/self/exe"));
  EXPECT_THAT(program, StartsWith("\x7f"
                                  "ELF"));
}

TEST_F(Gops, answers_a_command_with_a_number_and_closes_on_an_unknown_one) {
  EXPECT_THAT(ask(std::string_view("\x10\x64\0\0\0\0\0\0\0\0\0", 11)), HasSubstr("no garbage collector"));
  EXPECT_EQ(ask("\x7e"), "");
}

TEST_F(Gops, leaves_no_task_of_a_client_that_leaves) {
  wait_for_tasks(1);
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 3; ++i) silent.push_back(connect());
  wait_for_tasks(4);
  silent.clear();
  wait_for_tasks(1);
}

TEST_F(Gops, closes_more_clients_than_it_serves) {
  std::vector<UniqueFd> silent;
  for (std::size_t i = 0; i < GopsAgent::kClientsMax; ++i) silent.push_back(connect());
  wait_for_tasks(1 + GopsAgent::kClientsMax);
  char byte = 0;
  EXPECT_EQ(::read(connect().get(), &byte, 1), 0);
}

TEST(gops_directory, follows_the_environment) {
  ::setenv("GOPS_CONFIG_DIR", "/a", 1);
  ::setenv("XDG_CONFIG_HOME", "/b", 1);
  EXPECT_EQ(gops_directory(), "/a");
  ::unsetenv("GOPS_CONFIG_DIR");
  EXPECT_EQ(gops_directory(), "/b/gops");
  ::unsetenv("XDG_CONFIG_HOME");
  EXPECT_TRUE(gops_directory().string().ends_with("/.config/gops"));
}

}  // namespace
}  // namespace quoll::debug
