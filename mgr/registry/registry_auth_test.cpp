#include "mgr/registry/registry_auth.hpp"

#include <gtest/gtest.h>

#include "http/base64.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using Parameters = std::map<std::string, std::string>;

TEST(auth_challenge, of_a_token_server) {
  const auto challenge = parse_challenge(
      R"(Bearer realm="https://auth.test/token?a=b",service="registry.test",scope="repository:a/b:pull,push")");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->scheme, "bearer");
  EXPECT_EQ(challenge->parameters, (Parameters{{"realm", "https://auth.test/token?a=b"},
                                               {"service", "registry.test"},
                                               {"scope", "repository:a/b:pull,push"}}));
  EXPECT_EQ(challenge->parameter("error"), "");
}

TEST(auth_challenge, in_every_spelling) {
  EXPECT_EQ(parse_challenge("BASIC realm=x")->scheme, "basic");
  EXPECT_EQ(parse_challenge("Basic realm=x")->parameters, (Parameters{{"realm", "x"}}));
  EXPECT_EQ(parse_challenge("Basic")->parameters, Parameters{});
  EXPECT_EQ(parse_challenge("Bearer   realm=\"a b\" ,  service=s")->parameters,
            (Parameters{{"realm", "a b"}, {"service", "s"}}));
  EXPECT_EQ(parse_challenge(R"(Basic realm="say \"hi\" \\")")->parameters, (Parameters{{"realm", R"(say "hi" \)"}}));
  EXPECT_EQ(parse_challenge(R"(Basic realm="")")->parameters, (Parameters{{"realm", ""}}));
  // The first of two of one name counts.
  EXPECT_EQ(parse_challenge("Basic realm=a, realm=b")->parameter("realm"), "a");
}

TEST(auth_challenge, that_is_none) {
  for (const char* text : {"", " ", "Bearer realm", "Bearer =x", R"(Bearer realm="open)", R"(Bearer realm="x\)",
                           "Bearer \"x\"", "Bearer realm=x, ?=y"}) {
    EXPECT_FALSE(parse_challenge(text)) << text;
  }
}

std::string header(const std::string& json) { return http::to_base64(json); }

TEST(credentials, of_every_form) {
  const RegistryCredentials all{"me", "secret", "r.test", "refresh", "bearer"};
  EXPECT_EQ(parse_auth_header(header(R"({"username":"me","password":"secret","serveraddress":"r.test",
                                         "identitytoken":"refresh","registrytoken":"bearer"})")),
            all);
  EXPECT_TRUE(parse_auth_header("").empty());
  EXPECT_TRUE(parse_auth_header(header("{}")).empty());
  // A password may hold a colon, a user may not.
  const RegistryCredentials both = parse_auth_header(header(R"({"auth":")" + http::to_base64("me:a:b") + R"("})"));
  EXPECT_EQ(both.username, "me");
  EXPECT_EQ(both.password, "a:b");
  EXPECT_EQ(basic_authorization(both), "Basic " + http::to_base64("me:a:b"));
}

TEST(credentials, that_are_none) {
  for (const std::string& text : {std::string("!"), header("[]"), header("x"), header(R"("text")"),
                                  header(R"({"auth":"bm9jb2xvbg=="})"), header(R"({"auth":"!"})")}) {
    EXPECT_THROW(parse_auth_header(text), Error) << text;
  }
  // No more than a header may hold.
  EXPECT_THROW(parse_auth_header(std::string(100'000, 'A')), Error);
}

TEST(credentials, of_builds_are_by_registry) {
  const auto known = parse_auth_config(
      header(R"({"https://index.docker.io/v1/":{"username":"hub"},"r.test:5000":{"username":"own"}})"));
  EXPECT_EQ(credentials_for(known, "docker.io").username, "hub");
  EXPECT_EQ(credentials_for(known, "r.test:5000").username, "own");
  EXPECT_TRUE(credentials_for(known, "r.test").empty());
  EXPECT_THROW(parse_auth_config(header("[]")), Error);
}

}  // namespace
}  // namespace quoll::mgr
