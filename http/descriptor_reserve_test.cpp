// A server with a reserve goes on answering when the process has no descriptor left. Method: the limit lowered to what
// is open, and requests on new connections all the same.
#include "http/descriptor_reserve.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

namespace quoll::http {
namespace {

// No descriptor can be opened while it lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(next.get());
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

bool can_open() { return static_cast<bool>(UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC))); }

TEST(descriptor_reserve, gives_what_it_has_and_takes_it_back_without_a_gap) {
  DescriptorReserve reserve(2);
  const NoDescriptors none;
  EXPECT_FALSE(can_open());
  ASSERT_TRUE(reserve.give());
  UniqueFd first(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(first);
  ASSERT_TRUE(reserve.give());
  EXPECT_FALSE(reserve.give());
  UniqueFd second(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(second);
  reserve.take(std::move(first));
  EXPECT_FALSE(can_open());
  EXPECT_TRUE(reserve.give());
  reserve.take(std::move(second));
  reserve.take(UniqueFd());
  EXPECT_TRUE(can_open());
}

TEST(descriptor_reserve, what_it_does_not_need_is_closed) {
  DescriptorReserve reserve(1);
  UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const int number = fd.get();
  reserve.take(std::move(fd));
  EXPECT_EQ(::fcntl(number, F_GETFD), -1);
}

}  // namespace
}  // namespace quoll::http
