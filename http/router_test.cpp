// Routes are tried through a server, as a request cannot be made by hand.
#include "http/router.hpp"

#include "http/test_support.hpp"
#include "task/error.hpp"

namespace quoll::http {
namespace {

task::Task<void> tell_route(Request& request, Response& response) {
  std::string text(request.route());
  for (const std::string_view name : {"id", "name", "other"}) {
    if (!request.param(name).empty()) text += " " + std::string(name) + "=" + std::string(request.param(name));
  }
  if (!request.api_version().empty()) text += " v=" + std::string(request.api_version());
  co_await response.send(text, "text/plain");
}

class router : public testing::Test {
 protected:
  router() {
    for (const char* const pattern :
         {"/_ping", "/containers/json", "/containers/{id}/json", "/containers/{id}/logs", "/containers/{other}",
          "/images/json", "/images/{name:.*}/json", "/images/{name:.*}", "/images/{name:.*}/history/json",
          "/a/{id}/b/{name}", "/a/x/{other}/y"}) {
      server_.route("GET", pattern, tell_route);
    }
    server_.route("DELETE", "/containers/{id}", tell_route);
    server_.route("DELETE", "/images/{name:.*}", tell_route);
    server_.route("POST", "/containers/json", tell_route);
    server_.start();
  }
  void SetUp() override { client_.emplace(server_.port()); }
  std::string ask(const std::string& target, const std::string& method = "GET") {
    client_->send(method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const RawClient::Answer answer = client_->read_answer();
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  }

  TestServer server_;
  std::optional<RawClient> client_;
};

TEST_F(router, finds_literal_paths_first) {
  EXPECT_EQ(ask("/_ping"), "/_ping");
  EXPECT_EQ(ask("/containers/json"), "/containers/json");
  EXPECT_EQ(ask("/containers/json", "POST"), "/containers/json");
  EXPECT_EQ(ask("/images/json?all=1"), "/images/json");
}

TEST_F(router, gives_parameters_by_the_found_routes_names) {
  EXPECT_EQ(ask("/containers/4f/logs"), "/containers/{id}/logs id=4f");
  EXPECT_EQ(ask("/containers/4f"), "/containers/{other} other=4f");
  EXPECT_EQ(ask("/containers/4f", "DELETE"), "/containers/{id} id=4f");
  EXPECT_EQ(ask("/a/1/b/2"), "/a/{id}/b/{name} id=1 name=2");
}

TEST_F(router, takes_a_slash_that_a_parameter_begins_with) {
  EXPECT_EQ(ask("/containers/%2Fname/json"), "/containers/{id}/json id=/name");
  EXPECT_EQ(ask("/containers//name/logs"), "/containers/{id}/logs id=/name");
  EXPECT_EQ(ask("/containers//json"), "/containers/{other} other=/json");
  EXPECT_EQ(ask("/a//1/b//2"), "/a/{id}/b/{name} id=/1 name=/2");
  EXPECT_EQ(ask("/a//x/b/2"), "/a/{id}/b/{name} id=/x name=2");
}

TEST_F(router, goes_back_where_a_literal_leads_nowhere) {
  EXPECT_EQ(ask("/a/x/b/2"), "/a/{id}/b/{name} id=x name=2");
  EXPECT_EQ(ask("/a/x/b/y"), "/a/x/{other}/y other=b");
  EXPECT_EQ(ask("/containers/json", "DELETE"), "/containers/{id} id=json");
}

TEST_F(router, tail_parameters_take_slashes_up_to_the_longest_suffix) {
  EXPECT_EQ(ask("/images/busybox/json"), "/images/{name:.*}/json name=busybox");
  EXPECT_EQ(ask("/images/reg:5000/a/b:t/json"), "/images/{name:.*}/json name=reg:5000/a/b:t");
  EXPECT_EQ(ask("/images/a/history/json"), "/images/{name:.*}/history/json name=a");
  EXPECT_EQ(ask("/images/a/b", "DELETE"), "/images/{name:.*} name=a/b");
  EXPECT_EQ(ask("/images/a/json", "DELETE"), "/images/{name:.*} name=a/json");
  EXPECT_EQ(ask("/images/"), "404");
}

TEST_F(router, decodes_the_path_and_strips_the_version) {
  EXPECT_EQ(ask("/v1.41/containers/4f/json"), "/containers/{id}/json id=4f v=1.41");
  EXPECT_EQ(ask("/v1.24/_ping"), "/_ping v=1.24");
  EXPECT_EQ(ask("/containers/a%20b/json"), "/containers/{id}/json id=a b");
  EXPECT_EQ(ask("/images/lib%2Fbox/json"), "/images/{name:.*}/json name=lib/box");
  EXPECT_EQ(ask("http://host/v9/_ping?x"), "/_ping v=9");
  EXPECT_EQ(ask("/vx.1/_ping"), "404");
  EXPECT_EQ(ask("/v1.41"), "404");
}

TEST_F(router, answers_404_for_unknown_paths_and_methods) {
  for (const char* const target :
       {"/", "/_pin", "/_ping/", "/containers", "/containers//", "/containers///json", "/a/1/b/2/c", "*"}) {
    EXPECT_EQ(ask(target), "404") << target;
  }
  EXPECT_EQ(ask("/_ping", "PUT"), "404");
  EXPECT_EQ(ask("/_ping", "get"), "404");
}

TEST(router_table, refuses_patterns_that_are_malformed_or_doubled) {
  Router table;
  table.add("GET", "/a/{id}", tell_route);
  table.add("GET", "/a", tell_route);
  for (const char* const pattern : {"a", "/a", "/a/{other}", "/a/{id", "/{a:.*}/{b}", "/{a}/{b}/{c}/{d}/{e}"}) {
    EXPECT_THROW(table.add("GET", pattern, tell_route), Error) << pattern;
  }
}

}  // namespace
}  // namespace quoll::http
