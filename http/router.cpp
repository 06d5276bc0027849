#include "http/router.hpp"

#include <algorithm>

#include "task/error.hpp"

namespace quoll::http {
namespace {

constexpr std::string_view kTailSuffix = ":.*";

[[noreturn]] void refuse(const Route& route, std::string_view why) {
  throw Error(ErrorClass::kInvalidArgument, "route " + route.method + " " + route.pattern + ": " + std::string(why));
}

const Route* of_method(const std::vector<const Route*>& routes, std::string_view method) {
  for (const Route* const route : routes) {
    if (route->method == method) return route;
  }
  return nullptr;
}

// Takes the first segment off "/a/b".
std::string_view take_segment(std::string_view& rest) {
  rest.remove_prefix(1);
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view segment = rest.substr(0, end);
  rest.remove_prefix(end);
  return segment;
}

// "/v1.41/x" -> "1.41", leaving "/x".
std::string_view take_version(std::string_view& path) {
  if (!path.starts_with("/v") || path.size() < 3) return {};
  const std::size_t end = path.find('/', 1);
  if (end == std::string_view::npos) return {};
  const std::string_view version = path.substr(2, end - 2);
  if (version.empty() || version.find_first_not_of("0123456789.") != std::string_view::npos) return {};
  path.remove_prefix(end);
  return version;
}

}  // namespace

// A position in the patterns. What hangs below a {name:.*} is told by the literal end of the path behind it.
struct Router::Node {
  struct Tail {
    std::string_view suffix;  // "/json", or "" to the path's end
    Methods methods;
  };
  std::unordered_map<std::string_view, std::unique_ptr<Node>> literal;
  std::unique_ptr<Node> any;
  std::vector<Tail> tails;  // longest suffix first
  Methods methods;
};

struct Router::Search {
  std::string_view method;
  std::array<std::string_view, Request::kParamsMax> values;
  std::size_t depth = 0;
};

Router::Router() : tree_(new Node) {}
Router::~Router() = default;

void Router::add(std::string method, std::string pattern, Handler handler, CancelPolicy policy) {
  Route route;
  route.method = std::move(method);
  route.pattern = std::move(pattern);
  route.handler = std::move(handler);
  route.policy = policy;
  add(std::move(route));
}

void Router::add(Route added) {
  routes_.push_back(std::move(added));
  const Route& route = routes_.back();
  const std::string_view pattern = route.pattern;
  if (!pattern.starts_with('/')) refuse(route, "does not begin with a slash");
  const auto enter = [&](Methods& methods) {
    if (of_method(methods, route.method) != nullptr) refuse(route, "is there already");
    methods.push_back(&route);
  };
  if (pattern.find('{') == std::string_view::npos) return enter(literal_[pattern]);

  Node* node = tree_.get();
  std::size_t params = 0;
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    if (!segment.starts_with('{')) {
      std::unique_ptr<Node>& child = node->literal[segment];
      if (!child) child = std::make_unique<Node>();
      node = child.get();
      continue;
    }
    if (!segment.ends_with('}')) refuse(route, "has a parameter that is not a whole segment");
    if (++params > Request::kParamsMax) refuse(route, "has too many parameters");
    const std::string_view name = segment.substr(1, segment.size() - 2);
    if (name.ends_with(kTailSuffix)) {
      if (rest.find('{') != std::string_view::npos) refuse(route, "has a parameter behind {name:.*}");
      auto tail = std::find_if(node->tails.begin(), node->tails.end(), [&](auto& t) { return t.suffix == rest; });
      if (tail == node->tails.end()) {
        tail = std::find_if(node->tails.begin(), node->tails.end(),
                            [&](auto& t) { return t.suffix.size() < rest.size(); });
        tail = node->tails.insert(tail, Node::Tail{rest, {}});
      }
      return enter(tail->methods);
    }
    if (!node->any) node->any = std::make_unique<Node>();
    node = node->any.get();
  }
  enter(node->methods);
}

const Route* Router::find_in_tree(const Node& node, std::string_view rest, Search& search) const {
  if (rest.empty()) return of_method(node.methods, search.method);
  std::string_view below = rest;
  const std::string_view segment = take_segment(below);
  if (const auto child = node.literal.find(segment); child != node.literal.end()) {
    if (const Route* const route = find_in_tree(*child->second, below, search)) return route;
  }
  // Of "//name" the parameter is "/name": a slash that the name itself begins with, as Docker's do.
  const bool begins_with_slash = segment.empty() && !below.empty();
  if (node.any && begins_with_slash) take_segment(below);
  const std::string_view value = rest.substr(1, rest.size() - 1 - below.size());
  if (node.any && !value.empty() && value != "/") {
    search.values[search.depth++] = value;
    if (const Route* const route = find_in_tree(*node.any, below, search)) return route;
    --search.depth;
  }
  for (const Node::Tail& tail : node.tails) {
    if (rest.size() < tail.suffix.size() + 2 || !rest.ends_with(tail.suffix)) continue;
    const Route* const route = of_method(tail.methods, search.method);
    if (route == nullptr) continue;
    search.values[search.depth++] = rest.substr(1, rest.size() - 1 - tail.suffix.size());
    return route;
  }
  return nullptr;
}

const Route* Router::find(Request& request) const {
  request.matched_ = nullptr;
  request.param_count_ = 0;
  if (strip_version_prefix_) request.api_version_ = take_version(request.path_);
  if (const auto methods = literal_.find(request.path_); methods != literal_.end()) {
    request.matched_ = of_method(methods->second, request.method_);
    if (request.matched_ != nullptr) return request.matched_;
  }
  if (!request.path_.starts_with('/')) return nullptr;
  Search search{.method = request.method_};
  const Route* const route = find_in_tree(*tree_, request.path_, search);
  if (route == nullptr) return nullptr;
  // The names are the found route's own: routes that share a place may call it differently.
  std::string_view rest = route->pattern;
  while (!rest.empty() && request.param_count_ < search.depth) {
    const std::size_t open = rest.find('{');
    const std::size_t close = rest.find('}', open);
    std::string_view name = rest.substr(open + 1, close - open - 1);
    if (name.ends_with(kTailSuffix)) name.remove_suffix(kTailSuffix.size());
    const std::uint32_t index = request.param_count_++;
    request.params_[index] = {name, search.values[index]};
    rest.remove_prefix(close + 1);
  }
  request.matched_ = route;
  return route;
}

}  // namespace quoll::http
