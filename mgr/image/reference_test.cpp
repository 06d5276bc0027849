#include "mgr/image/reference.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string refusal(const std::string& text) {
  try {
    parse_reference(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    return error.message();
  }
  return "accepted";
}

TEST(reference, a_short_name_means_docker_hub_and_latest) {
  const Reference reference = parse_reference("busybox");
  EXPECT_EQ(reference.canonical(), "docker.io/library/busybox:latest");
  EXPECT_EQ(reference.familiar(), "busybox:latest");
}

TEST(reference, familiar_form_keeps_what_is_not_default) {
  EXPECT_EQ(parse_reference("team/app:1").canonical(), "docker.io/team/app:1");
  EXPECT_EQ(parse_reference("team/app:1").familiar(), "team/app:1");
  EXPECT_EQ(parse_reference("docker.io/busybox").familiar(), "busybox:latest");
  EXPECT_EQ(parse_reference("index.docker.io/library/busybox:1").familiar(), "busybox:1");
  EXPECT_EQ(parse_reference("quay.io/busybox").familiar(), "quay.io/busybox:latest");
}

TEST(reference, a_port_is_not_a_tag) {
  const Reference reference = parse_reference("localhost:5000/app");
  EXPECT_EQ(reference.domain, "localhost:5000");
  EXPECT_EQ(reference.path, "app");
  EXPECT_EQ(reference.tag, "latest");
  EXPECT_EQ(parse_reference("localhost/app:2").domain, "localhost");
  EXPECT_EQ(parse_reference("[::1]:5000/app:2").familiar(), "[::1]:5000/app:2");
  EXPECT_EQ(parse_reference("Registry/app").domain, "Registry");
}

TEST(reference, a_digest_decides_and_adds_no_tag) {
  EXPECT_EQ(parse_reference("busybox@" + kDigest).familiar(), "busybox@" + kDigest);
  EXPECT_EQ(parse_reference("busybox:1@" + kDigest).canonical(), "docker.io/library/busybox@" + kDigest);
  EXPECT_EQ(parse_reference_as_written("busybox").tag, "");
}

TEST(reference, separators_inside_a_path_component) {
  for (const char* good : {"a.b", "a_b", "a__b", "a--b", "a-b.c_d"}) EXPECT_EQ(refusal(good), "accepted") << good;
  for (const char* bad : {"a..b", "a___b", "a._b", "-a", "a-", ".a", "a/", "/a", "a//b"}) {
    EXPECT_EQ(refusal(bad), "invalid reference format") << bad;
  }
}

TEST(reference, refuses_with_dockers_words) {
  for (const char* bad :
       {"", ":", "a:", "a:b:c", "a:-x", "a b", "a@", "a@sha256:12", "exa_mple.com/x", "host:x/y", "a\n"}) {
    EXPECT_EQ(refusal(bad), "invalid reference format") << bad;
  }
  EXPECT_EQ(refusal("a:" + std::string(129, 't')), "invalid reference format");
  EXPECT_EQ(refusal("Busybox"), "invalid reference format: repository name (library/Busybox) must be lowercase");
  EXPECT_EQ(refusal(std::string(64, 'a')),
            "invalid repository name (" + std::string(64, 'a') + "), cannot specify 64-byte hexadecimal strings");
  EXPECT_EQ(refusal(std::string(256, 'b')), "repository name must not be more than 255 characters");
  EXPECT_EQ(refusal("a@sha512:" + std::string(128, 'a')), "unsupported digest algorithm");
  EXPECT_EQ(refusal("a@sha256:" + std::string(40, 'a')), "invalid checksum digest length");
  EXPECT_EQ(refusal("a@sha256:" + std::string(64, 'A')), "invalid checksum digest format");
}

}  // namespace
}  // namespace quoll::mgr
