#include "mgr/container/container_names.hpp"

#include <gtest/gtest.h>

#include <set>

#include "mgr/container/container_id.hpp"
#include "mgr/short_id.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

template <typename F>
Error thrown_by(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorClass::kInternal, "nothing was thrown");
}

const std::string kIdA = "aaaa" + std::string(60, '1');
const std::string kIdAb = "aaab" + std::string(60, '2');
const std::string kIdC = "cccc" + std::string(60, '3');

TEST(container_name, accepts_dockers_alphabet_with_or_without_slash) {
  EXPECT_EQ(validate_container_name("bg"), "bg");
  EXPECT_EQ(validate_container_name("/bg"), "bg");
  EXPECT_EQ(validate_container_name("0a.B-c_9"), "0a.B-c_9");
}

TEST(container_name, refuses_everything_else_in_dockers_words) {
  for (const char* bad : {"", "/", "a", "_a", ".a", "-a", "a b", "a/b", "//ab", "ab\n", "ä1", "a:b"}) {
    const Error error = thrown_by([&] { validate_container_name(bad); });
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument) << bad;
    EXPECT_EQ(error.message(),
              "Invalid container name (" + std::string(bad) + "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
  }
}

TEST(container_name, random_names_are_valid_and_differ) {
  std::set<std::string> names;
  for (int i = 0; i < 500; ++i) {
    const std::string name = random_container_name();
    EXPECT_EQ(validate_container_name(name), name);
    EXPECT_EQ(std::count(name.begin(), name.end(), '_'), 1) << name;
    names.insert(name);
  }
  EXPECT_GT(names.size(), 400u);
  EXPECT_TRUE(std::isdigit(random_container_name(1).back()));
}

TEST(name_index, finds_by_id_name_slashed_name_and_unique_prefix) {
  NameIndex index;
  index.add(kIdA, "one");
  index.add(kIdC, "/two");
  EXPECT_EQ(index.resolve(kIdA), kIdA);
  EXPECT_EQ(index.resolve("one"), kIdA);
  EXPECT_EQ(index.resolve("/two"), kIdC);
  EXPECT_EQ(index.resolve("c"), kIdC);
  EXPECT_EQ(index.resolve(short_id(kIdC)), kIdC);
  EXPECT_EQ(index.name_of(kIdC), "two");
}

TEST(name_index, a_name_wins_over_a_prefix) {
  NameIndex index;
  index.add(kIdA, "cccc");
  index.add(kIdC, "other");
  EXPECT_EQ(index.resolve("cccc"), kIdA);
  EXPECT_EQ(index.resolve("ccc"), kIdC);
}

TEST(name_index, an_ambiguous_prefix_is_an_error_and_a_longer_one_is_not) {
  NameIndex index;
  index.add(kIdA, "one");
  index.add(kIdAb, "two");
  const Error error = thrown_by([&] { index.resolve("aaa"); });
  EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
  EXPECT_EQ(error.message(), "multiple IDs found with provided prefix: aaa");
  EXPECT_EQ(index.resolve("aaab"), kIdAb);
}

TEST(name_index, unknown_is_dockers_no_such_container) {
  NameIndex index;
  index.add(kIdA, "one");
  for (const char* unknown : {"x", "", "/", "zz", "aaaa2", "on"}) {
    const Error error = thrown_by([&] { index.resolve(unknown); });
    EXPECT_EQ(error.error_class(), ErrorClass::kNotFound) << unknown;
    EXPECT_EQ(error.message(), std::string("No such container: ") + unknown);
  }
}

TEST(name_index, a_taken_name_is_dockers_conflict_and_changes_nothing) {
  NameIndex index;
  index.add(kIdA, "bg");
  const Error error = thrown_by([&] { index.add(kIdC, "/bg"); });
  EXPECT_EQ(error.error_class(), ErrorClass::kConflict);
  EXPECT_EQ(error.message(), "Conflict. The container name \"/bg\" is already in use by container \"" + kIdA +
                                 "\". You have to remove (or rename) that container to be able to reuse that name.");
  EXPECT_EQ(index.size(), 1u);
  EXPECT_EQ(thrown_by([&] { index.resolve(kIdC); }).error_class(), ErrorClass::kNotFound);
}

TEST(name_index, rename_frees_the_old_name) {
  NameIndex index;
  index.add(kIdA, "one");
  index.add(kIdC, "two");
  EXPECT_EQ(thrown_by([&] { index.rename(kIdA, "two"); }).error_class(), ErrorClass::kConflict);
  EXPECT_EQ(thrown_by([&] { index.rename(kIdA, "one"); }).error_class(), ErrorClass::kInvalidArgument);
  EXPECT_EQ(thrown_by([&] { index.rename(kIdAb, "new"); }).error_class(), ErrorClass::kNotFound);
  index.rename(kIdA, "three");
  EXPECT_EQ(index.resolve("three"), kIdA);
  EXPECT_FALSE(index.has_name("one"));
  index.add(kIdAb, "one");
  EXPECT_EQ(index.resolve("one"), kIdAb);
}

TEST(name_index, remove_frees_the_id_and_the_name) {
  NameIndex index;
  index.add(kIdA, "one");
  index.remove(kIdA);
  index.remove(kIdA);
  EXPECT_EQ(index.size(), 0u);
  EXPECT_FALSE(index.has_name("one"));
  index.add(kIdA, "one");
  EXPECT_EQ(index.resolve("aa"), kIdA);
}

TEST(name_index, random_names_never_collide_however_many_there_are) {
  NameIndex index;
  std::set<std::string> names;
  constexpr size_t kMany = 30000;  // three times the number of pairs of words
  for (size_t i = 0; i < kMany; ++i) names.insert(index.add_random(new_container_id()));
  EXPECT_EQ(names.size(), kMany);
  EXPECT_EQ(index.size(), kMany);
}

}  // namespace
}  // namespace quoll::mgr
