#include "mgr/registry/registry_url.hpp"

#include <gtest/gtest.h>

namespace quoll::mgr {
namespace {

TEST(registry_url, parts) {
  EXPECT_EQ(RegistryUrl::parse("https://r.test"), (RegistryUrl{true, "r.test", 443, "/"}));
  EXPECT_EQ(RegistryUrl::parse("http://r.test/v2/?n=1#part"), (RegistryUrl{false, "r.test", 80, "/v2/?n=1"}));
  EXPECT_EQ(RegistryUrl::parse("https://[fd00::1]:5000/x"), (RegistryUrl{true, "fd00::1", 5000, "/x"}));
  EXPECT_EQ(RegistryUrl::parse("http://r.test?x"), (RegistryUrl{false, "r.test", 80, "/?x"}));
}

TEST(registry_url, text_is_what_was_parsed) {
  for (const char* text :
       {"https://r.test/", "https://r.test:5000/v2/a/b", "http://[::1]:5000/", "http://r.test:443/"}) {
    EXPECT_EQ(RegistryUrl::parse(text)->text(), text);
  }
  EXPECT_EQ(RegistryUrl::parse("https://r.test:443/")->origin(), "https://r.test");
  EXPECT_EQ(RegistryUrl::parse("https://r.test:443/")->authority(), "r.test");
  EXPECT_EQ(RegistryUrl::parse("https://[::1]:5000/")->authority(), "[::1]:5000");
}

TEST(registry_url, that_is_none) {
  const std::string long_one = "https://r.test/" + std::string(20'000, 'x');
  for (const std::string& text :
       {std::string(""), std::string("r.test"), std::string("ftp://r.test/"), std::string("https://"),
        std::string("https:///x"), std::string("https://r.test:x/"), std::string("https://r.test:/"),
        std::string("https://r.test:70000/"), std::string("https://user:pass@r.test/"),
        std::string("https://r.test/a b"), std::string("https://r.test/\r\nX: y"), long_one}) {
    EXPECT_FALSE(RegistryUrl::parse(text)) << text;
  }
}

TEST(registry_url, locations) {
  const RegistryUrl url = RegistryUrl::parse("https://r.test:5000/v2/a/blobs/uploads/?x=/1").value();
  const auto text = [&](std::string_view location) {
    const auto next = url.resolve(location);
    return next ? next->text() : "none";
  };
  EXPECT_EQ(text("/v2/other?state=1"), "https://r.test:5000/v2/other?state=1");
  EXPECT_EQ(text("http://cdn.test/blob"), "http://cdn.test/blob");
  EXPECT_EQ(text("//cdn.test/blob"), "https://cdn.test/blob");
  EXPECT_EQ(text("uuid?state=2"), "https://r.test:5000/v2/a/blobs/uploads/uuid?state=2");
  EXPECT_EQ(text(""), "none");
  EXPECT_EQ(text("https://"), "none");
  EXPECT_EQ(text("/x\r\nX: y"), "none");
  EXPECT_EQ(text("/" + std::string(20'000, 'x')), "none");
}

}  // namespace
}  // namespace quoll::mgr
