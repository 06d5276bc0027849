#include "mgr/image/digest.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

TEST(digest, known_answers) {
  EXPECT_EQ(sha256_digest(""), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_digest("abc"), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(digest, pieces_give_the_same_as_the_whole) {
  Sha256 digest;
  digest.update(std::string_view("a"));
  digest.update(std::string_view(""));
  digest.update(std::string_view("bc"));
  EXPECT_EQ(digest.finish_digest(), sha256_digest("abc"));
}

TEST(digest, accepts_only_what_is_safe_as_a_file_name) {
  EXPECT_TRUE(is_sha256_digest("sha256:" + std::string(64, 'f')));
  EXPECT_FALSE(is_sha256_digest("sha256:" + std::string(64, 'F')));
  EXPECT_FALSE(is_sha256_digest("sha256:" + std::string(63, 'f')));
  EXPECT_FALSE(is_sha256_digest("sha256:../" + std::string(61, 'f')));
  EXPECT_FALSE(is_sha256_digest("sha512:" + std::string(64, 'f')));
  EXPECT_FALSE(is_sha256_digest(""));
}

TEST(digest, chain_id_of_the_base_is_its_diff_id) {
  EXPECT_EQ(chain_id("", "sha256:a"), "sha256:a");
  EXPECT_EQ(chain_id("sha256:a", "sha256:b"), sha256_digest("sha256:a sha256:b"));
}

}  // namespace
}  // namespace quoll::mgr
