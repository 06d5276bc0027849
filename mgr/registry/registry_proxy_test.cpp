#include "mgr/registry/registry_proxy.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

bool goes_by_proxy(const std::string& no_proxy, const std::string& url) {
  const ProxySettings settings{"http://plain:1", "http://secure:2", no_proxy};
  return settings.proxy_for(RegistryUrl::parse(url).value()).has_value();
}

TEST(registry_proxy, each_scheme_has_its_own) {
  const ProxySettings settings{"plain:1", "http://secure:2/", ""};
  const auto plain = settings.proxy_for(*RegistryUrl::parse("http://r.test/"));
  const auto secure = settings.proxy_for(*RegistryUrl::parse("https://r.test/"));
  ASSERT_TRUE(plain && secure);
  EXPECT_EQ(plain->host + ":" + std::to_string(plain->port), "plain:1");
  EXPECT_EQ(secure->host + ":" + std::to_string(secure->port), "secure:2");
  EXPECT_FALSE((ProxySettings{"", "http://secure:2", ""}).proxy_for(*RegistryUrl::parse("http://r.test/")));
}

TEST(registry_proxy, this_host_is_reached_without) {
  for (const char* url :
       {"http://localhost:5000/", "http://127.0.0.1:5000/", "https://127.9.9.9/", "http://[::1]:5000/"}) {
    EXPECT_FALSE(goes_by_proxy("", url)) << url;
  }
}

TEST(registry_proxy, exceptions_are_as_gos) {
  struct Case {
    const char* no_proxy;
    const char* url;
    bool by_proxy;
  };
  for (const Case& each : std::initializer_list<Case>{
           {"r.test", "https://r.test/", false},
           {"r.test", "https://R.Test/", false},
           {"r.test", "https://sub.r.test/", false},
           {"r.test", "https://our.test/", true},
           {"r.test", "https://xr.test/", true},
           {".r.test", "https://sub.r.test/", false},
           {".r.test", "https://r.test/", true},
           {"*.r.test", "https://sub.r.test/", false},
           {"r.test:5000", "https://r.test:5000/", false},
           {"r.test:5000", "https://r.test/", true},
           {"other, r.test", "https://r.test/", false},
           {"*", "https://anything/", false},
           {"10.0.0.0/8", "https://10.1.2.3/", false},
           {"10.0.0.0/8", "https://11.1.2.3/", true},
           {"10.1.2.3", "https://10.1.2.3:5000/", false},
           {"10.1.2.3:5000", "https://10.1.2.3:443/", true},
           {"fd00::/8", "https://[fd12::1]/", false},
           {"fd12::1", "https://[fd12::1]/", false},
           {"[fd12::1]:5000", "https://[fd12::1]:5000/", false},
           {"", "https://r.test/", true},
           {",, ", "https://r.test/", true},
       }) {
    EXPECT_EQ(goes_by_proxy(each.no_proxy, each.url), each.by_proxy) << each.no_proxy << " and " << each.url;
  }
}

TEST(registry_proxy, credentials_go_to_the_proxy_and_are_not_shown) {
  const ProxySettings settings{"http://me:p%40ss@proxy:3128", "me:x@proxy", ""};
  const auto proxy = settings.proxy_for(*RegistryUrl::parse("http://r.test/"));
  ASSERT_TRUE(proxy);
  EXPECT_EQ(proxy->host, "proxy");
  EXPECT_EQ(proxy->port, 3128);
  EXPECT_EQ(proxy->authorization, "Basic bWU6cEBzcw==");  // me:p@ss
  EXPECT_EQ(settings.shown(), (ProxySettings{"http://me:xxxxx@proxy:3128", "me:xxxxx@proxy", ""}));
}

TEST(registry_proxy, other_kinds_are_refused_without_their_password) {
  for (const char* text : {"socks5://me:secret@p:1080", "https://me:secret@p", "http://"}) {
    try {
      (void)ProxySettings{"", text, ""}.proxy_for(*RegistryUrl::parse("https://r.test/"));
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
      EXPECT_EQ(error.message().find("secret"), std::string::npos);
    }
  }
}

}  // namespace
}  // namespace quoll::mgr
