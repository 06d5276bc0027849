#include "debug/symbol.hpp"

#include <gtest/gtest.h>

#include <source_location>
#include <string>

namespace quoll::debug {
namespace {

struct Sample {
  std::string_view pretty;
  std::string_view clean;
};

// As clang 19 prints them.
constexpr Sample kSamples[] = {
    {"Task<void> quoll::api::logs_container(quoll::http::Request &, quoll::http::Response &)",
     "quoll::api::logs_container"},
    {"quoll::task::Task<void> quoll::api::logs_container(quoll::http::Request &)", "quoll::api::logs_container"},
    {"static Task<void> quoll::task::TestRuntime::run_into(Task<T>, std::optional<detail::Value<T>> *, bool *) [T = "
     "void]",
     "quoll::task::TestRuntime::run_into"},
    {"Task<Value<T>> quoll::task::detail::valued(Task<T>) [T = std::tuple<int, std::map<int, "
     "std::basic_string<char>>>]",
     "quoll::task::detail::valued"},
    {"Task<std::tuple<int, std::map<int, std::string>>> quoll::api::tup()", "quoll::api::tup"},
    {"Task<void> quoll::api::(anonymous namespace)::hidden(int)", "quoll::api::hidden"},
    {"Task<void> quoll::api::(anonymous namespace)::(anonymous struct)::run() const", "quoll::api::anonymous::run"},
    {"Task<T> quoll::api::generic(T, std::function<void (int)>) [T = std::vector<int>]", "quoll::api::generic"},
    {"Task<void> quoll::api::Box<std::map<int, std::basic_string<char>>>::run() const & [T = std::map<int, "
     "std::basic_string<char>>]",
     "quoll::api::Box<std::map<int, std::basic_string<char>>>::run"},
    {"Task<void> quoll::api::Box<int>::operator()(int) [T = int]", "quoll::api::Box<int>::operator()"},
    {"Task<void> quoll::api::Box<int>::operator/(int) [T = int]", "quoll::api::Box<int>::operator_div"},
    {"Task<void> quoll::api::Box<int>::operator%(int) [T = int]", "quoll::api::Box<int>::operator_mod"},
    {"Task<void> quoll::api::Box<int>::operator<(int) [T = int]", "quoll::api::Box<int>::operator<"},
    {"Task<void> quoll::api::Box<int>::operator[](int) [T = int]", "quoll::api::Box<int>::operator[]"},
    {"Task<void> quoll::api::Box<int>::operator->()", "quoll::api::Box<int>::operator->"},
    {"Task<void> quoll::api::Conv::operator Task() const", "quoll::api::Conv::operator Task"},
    {"Task<void> quoll::api::with_local()::Local::go(int (*)(char), int (&)[3])", "quoll::api::with_local::Local::go"},
    {"auto quoll::api::with_local()::(anonymous class)::operator()(int) const", "quoll::api::with_local::lambda"},
    {"auto quoll::api::with_local()::(anonymous class)::operator()(auto) const [x:auto = int]",
     "quoll::api::with_local::lambda"},
    {"auto quoll::api::(anonymous class)::operator()(int) const", "quoll::api::lambda"},
    {"auto quoll::api::Box<int>::run() const::(anonymous class)::operator()() const",
     "quoll::api::Box<int>::run::lambda"},
    {"Task<void> quoll::api::call(F) [F = (lambda at api/logs.cpp:17:301)]", "quoll::api::call"},
    {"Task<void> quoll::api::Box<(lambda at api/logs.cpp:17:301)>::run()", "quoll::api::Box<lambda>::run"},
    {"Task<void> quoll::api::Box<quoll::(anonymous namespace)::Hidden>::run()", "quoll::api::Box<quoll::Hidden>::run"},
    {"Task<void> quoll::api::pack(Ts...) [N = 3, Ts = <int, char, const char *>]", "quoll::api::pack"},
    {"Task<void> quoll::api::Box<std::function<void (int)>>::run()", "quoll::api::Box<std::function<void (int)>>::run"},
    {"Task<void> CI::m() volatile &&", "CI::m"},
    {"Task<void> global_fn(quoll::http::Request)", "global_fn"},
    {"const char *quoll::name_of(int)", "quoll::name_of"},
    {"decltype(auto) quoll::forwarded(int)", "quoll::forwarded"},
    {"quoll::task::Promise<void>::Promise()", "quoll::task::Promise<void>::Promise"},
    {"my_operator(int)", "my_operator"},
    {"int main()", "main"},
    {"main", "main"},
    {"", "unknown"},
    {"()", "unknown"},
    {"Task<void> a/b%c(int)", "a_b_c"},
    {"Task<void> f(", "f"},
};

TEST(symbol, cleans_what_the_compiler_calls_a_function) {
  for (const Sample& sample : kSamples) EXPECT_EQ(clean_function_name(sample.pretty), sample.clean) << sample.pretty;
}

template <typename T>
struct Widget {
  static std::string turn(int) { return std::source_location::current().function_name(); }
};

TEST(symbol, cleans_what_this_compiler_prints) {
  EXPECT_EQ(clean_function_name(Widget<int>::turn(1)), "quoll::debug::Widget<int>::turn");
  const auto here = [](int) { return std::string(std::source_location::current().function_name()); };
  EXPECT_EQ(clean_function_name(here(1)),
            "quoll::debug::symbol_cleans_what_this_compiler_prints_Test::TestBody::lambda");
}

TEST(symbol, bounds_the_length_of_a_name) {
  const std::string pretty = "void " + std::string(10'000, 'x') + "()";
  EXPECT_EQ(clean_function_name(pretty).size(), kFunctionNameMax);
}

}  // namespace
}  // namespace quoll::debug
