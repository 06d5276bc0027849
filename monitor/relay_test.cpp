// The relay on real pipes and sockets; turns of its loop are made by hand.
#include "monitor/relay.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "monitor/attach_protocol.hpp"
#include "monitor/memory_kills.hpp"

namespace quoll::monitor {
namespace {

class relay : public testing::Test {
 protected:
  relay() {
    for (int* const ends : {input_, output_, error_}) EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    relay_ = std::make_unique<Relay>(Stdio{input_[1], output_[0], error_[0], false}, *log_);
  }

  int attach(int flags) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    const char hello = static_cast<char>(flags);
    EXPECT_EQ(::send(ends[1], &hello, 1, 0), 1);
    relay_->add_client(ends[0]);
    return ends[1];
  }
  // Turns until nothing happens.
  void turn() {
    for (int i = 0; i < 1000; ++i) {
      std::vector<pollfd> list;
      relay_->collect(list);
      if (::poll(list.data(), list.size(), 0) <= 0) return;
      relay_->handle(list);
    }
  }
  static std::string take(int fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t count; (count = ::read(fd, buffer, sizeof buffer)) > 0;)
      text.append(buffer, static_cast<size_t>(count));
    return text;
  }
  void print(int* pipe, const std::string& text) {
    EXPECT_EQ(::write(pipe[1], text.data(), text.size()), ssize_t(text.size()));
  }

  int input_[2], output_[2], error_[2];
  const std::unique_ptr<LogFile> log_ = std::make_unique<LogFile>();
  std::unique_ptr<Relay> relay_;
};

TEST_F(relay, output_comes_in_frames_to_those_who_want_it) {
  const int both = attach(kAttachStdout | kAttachStderr);
  const int raw = attach(kAttachStdout | kAttachRaw);
  print(output_, "hi");
  turn();
  print(error_, "no");
  turn();
  EXPECT_EQ(take(both), std::string("\1\0\0\0\0\0\0\2hi\2\0\0\0\0\0\0\2no", 20));
  EXPECT_EQ(take(raw), "hi");
}

TEST_F(relay, input_is_closed_by_the_client_that_may_and_by_no_other) {
  const int watcher = attach(kAttachStdout);
  const int typist = attach(kAttachStdin);
  const int last = attach(kAttachStdin | kAttachClosesStdin);
  ::send(watcher, "dropped", 7, 0);
  ::send(typist, "a", 1, 0);
  turn();
  ::close(watcher);
  ::close(typist);
  turn();
  EXPECT_EQ(take(input_[0]), "a");
  EXPECT_EQ(::read(input_[0], nullptr, 0), 0);
  char byte;
  EXPECT_EQ(::read(input_[0], &byte, 1), -1);  // open still
  ::send(last, "b", 1, 0);
  ::shutdown(last, SHUT_WR);
  turn();
  EXPECT_EQ(::read(input_[0], &byte, 1), 1);
  EXPECT_EQ(::read(input_[0], &byte, 1), 0);
}

TEST_F(relay, input_is_whole_however_slowly_it_is_taken) {
  const int client = attach(kAttachStdin | kAttachClosesStdin);
  std::string sent, taken;
  for (int i = 0; sent.size() < 1'000'000; ++i) sent += std::to_string(i);
  std::size_t done = 0;
  for (int i = 0; i < 10'000 && taken.size() < sent.size(); ++i) {
    const ssize_t count = ::send(client, sent.data() + done, sent.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count > 0) done += static_cast<std::size_t>(count);
    if (count > 0 && done == sent.size()) ::shutdown(client, SHUT_WR);
    turn();
    taken += take(input_[0]);
  }
  EXPECT_TRUE(taken == sent);
}

TEST_F(relay, a_client_that_does_not_read_holds_the_output_up_and_one_that_leaves_does_not) {
  const int slow = attach(kAttachStdout);
  const std::string piece(4096, 'x');
  std::size_t written = 0;
  for (int i = 0; i < 1000; ++i) {
    if (::write(output_[1], piece.data(), piece.size()) == ssize_t(piece.size())) written += piece.size();
    turn();
  }
  EXPECT_LT(written, 2u << 20);
  ::close(slow);
  turn();
  EXPECT_EQ(::write(output_[1], piece.data(), piece.size()), ssize_t(piece.size()));
}

TEST_F(relay, the_end_of_the_process_waits_for_no_slow_client_and_loses_nothing) {
  const int slow = attach(kAttachStdout | kAttachRaw);
  const std::string piece(4096, 'x');
  std::size_t written = 0;
  for (int i = 0; i < 1000; ++i) {
    if (::write(output_[1], piece.data(), piece.size()) == ssize_t(piece.size())) written += piece.size();
    turn();
  }
  ::close(output_[1]);
  ::close(error_[1]);
  relay_->process_ended();
  turn();
  EXPECT_TRUE(relay_->finished());
  relay_->drop_clients();
  EXPECT_EQ(take(slow).size(), written);
}

TEST(memory_kills, the_cgroup_is_found_on_both_versions) {
  std::string mount;
  EXPECT_EQ(memory_cgroup("12:cpu,memory:/a/b\n0::/x\n", mount), "/a/b");
  EXPECT_EQ(mount, "/sys/fs/cgroup/memory");
  EXPECT_EQ(memory_cgroup("1:name=systemd:/\n0::/x/y\n", mount), "/x/y");
  EXPECT_EQ(mount, "/sys/fs/cgroup");
  EXPECT_EQ(memory_cgroup("", mount), "");
}

}  // namespace
}  // namespace quoll::monitor
