#include "debug/place.hpp"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace quoll::debug {
namespace {

const Place& first_place() { return place_of(std::source_location::current()); }
std::pair<const Place*, const Place*> two_places() {
  const Place& one = place_of(std::source_location::current());
  const Place& two = place_of(std::source_location::current());
  return {&one, &two};
}

TEST(place, is_one_object_for_each_function_file_and_line) {
  EXPECT_EQ(&first_place(), &first_place());
  const auto [one, two] = two_places();
  EXPECT_NE(one, two);
  EXPECT_EQ(one->function, two->function);
  EXPECT_EQ(one->line + 1, two->line);
}

TEST(place, has_a_file_name_relative_to_the_tree_and_a_clean_function) {
  const Place& place = first_place();
  EXPECT_EQ(place.file, "debug/place_test.cpp");
  EXPECT_EQ(place.function, "quoll::debug::first_place");
  const std::string line = std::to_string(place.line);
  EXPECT_EQ(place.frame_text[0], "quoll::debug::first_place(...)\n\tdebug/place_test.cpp:" + line + "\n");
  EXPECT_EQ(place.frame_text[1], "quoll::debug::first_place(...)\n\tdebug/place_test.cpp#.go:" + line + "\n");
}

TEST(place, every_address_of_its_function_resolves_to_the_name) {
  const auto [one, two] = two_places();
  EXPECT_NE(one->pc, two->pc);
  EXPECT_EQ(one->pc - one->offset, two->pc - two->offset);
  for (std::uint64_t address = one->pc - one->offset; address <= two->pc + 1; ++address) {
    EXPECT_EQ(resolve_pc(address), one->function);
  }
  // pprof asks for the address before a return address.
  EXPECT_EQ(resolve_pc(first_place().pc - 1), "quoll::debug::first_place");
}

TEST(place, no_function_has_an_address_outside) {
  EXPECT_EQ(resolve_pc(0), std::nullopt);
  EXPECT_EQ(resolve_pc(1), std::nullopt);
  EXPECT_EQ(resolve_pc(~std::uint64_t{0}), std::nullopt);
}

template <int... N>
std::vector<const Place*> many(std::integer_sequence<int, N...>) {
  return {&[](std::integral_constant<int, N>) -> const Place& {
    return place_of(std::source_location::current());
  }(std::integral_constant<int, N>())...};
}

TEST(place, the_cache_grows_without_losing_anybody) {
  const auto first = many(std::make_integer_sequence<int, 600>());
  const auto second = many(std::make_integer_sequence<int, 600>());
  EXPECT_EQ(first, second);
}

}  // namespace
}  // namespace quoll::debug
