// Router: the one table of routes, and how a request finds its own.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/request.hpp"
#include "http/response.hpp"
#include "http/route_stats.hpp"
#include "task/task.hpp"

namespace quoll::http {

using Handler = std::function<task::Task<void>(Request&, Response&)>;

// What the client's leaving does to a handler: it is the default that it cancels everything below the request.
enum class CancelPolicy : std::uint8_t { kCancelOnDisconnect, kRunToEnd };

// `pattern`: "/containers/{id}/logs"; {id} takes one segment, {name:.*} one or more (image names have slashes).
struct Route {
  std::string method;
  std::string pattern;
  Handler handler;
  CancelPolicy policy = CancelPolicy::kCancelOnDisconnect;
  std::unique_ptr<RouteStats> stats = std::make_unique<RouteStats>();
};

// Literal segments win over {id}, and {id} over {name:.*}. Methods match exactly: GET does not serve HEAD.
//
// Lifetime: outlives the servers that use it; complete before the first request.
// Thread:   find() from any, add() before the first request.
// Errors:   add() of a malformed or doubled pattern throws Error{kInvalidArgument}.
class Router {
 public:
  Router();
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  void add(Route route);
  void add(std::string method, std::string pattern, Handler handler,
           CancelPolicy policy = CancelPolicy::kCancelOnDisconnect);

  // Routes are given for the path behind /v1.41; the prefix is optional, and request.api_version() has it. On by
  // default.
  void set_strip_version_prefix(bool strip) { strip_version_prefix_ = strip; }

  // Fills in the request's route, parameters, path and version; null where no route matches path and method.
  const Route* find(Request& request) const;
  const std::deque<Route>& routes() const { return routes_; }
  // Of requests that no route matched, or that were refused before a route was looked for.
  RouteStats& unmatched_stats() const { return *unmatched_stats_; }

 private:
  struct Node;
  struct Search;
  using Methods = std::vector<const Route*>;

  const Route* find_in_tree(const Node& node, std::string_view rest, Search& search) const;

  bool strip_version_prefix_ = true;
  std::deque<Route> routes_;  // places stay
  const std::unique_ptr<RouteStats> unmatched_stats_ = std::make_unique<RouteStats>();
  std::unordered_map<std::string_view, Methods> literal_;  // by whole path
  std::unique_ptr<Node> tree_;                             // patterns with parameters, by segment
};

}  // namespace quoll::http
