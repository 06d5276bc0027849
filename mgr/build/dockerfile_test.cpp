#include "mgr/build/dockerfile.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgr/build/build_arguments.hpp"
#include "mgr/build/dockerfile_words.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::optional<std::string> sample(const std::string& name) {
  if (name == "x") return "a b";
  if (name == "q") return "say \"hi\"";
  if (name == "empty") return "";
  return std::nullopt;
}

std::string word(std::string_view text) { return expand_word(text, '\\', sample); }

std::string failure_of(std::string_view dockerfile) {
  try {
    parse_dockerfile(dockerfile);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    return error.message();
  }
  return "";
}

TEST(Dockerfile, joins_lines_and_drops_comments) {
  const Dockerfile file = parse_dockerfile(
      "\xef\xbb\xbf# a comment\nfrom busybox AS one\n\n  RUN a && \\\n# between\n\n   b  \\  \n c\nCMD [\"x\", "
      "\"y\"]\n");
  ASSERT_EQ(file.instructions.size(), 3u);
  EXPECT_EQ(file.instructions[0].name, "FROM");
  EXPECT_EQ(file.instructions[0].text, "from busybox AS one");
  EXPECT_EQ(file.instructions[1].arguments, "a &&    b   c");
  EXPECT_EQ(file.instructions[1].line, 4);
  EXPECT_THAT(*file.instructions[2].list, ElementsAre("x", "y"));
}

TEST(Dockerfile, ends_of_lines) {
  const Dockerfile file = parse_dockerfile("FROM x\r\nRUN a \\\r\n b\r\nRUN c \\\\\nRUN d \\");
  ASSERT_EQ(file.instructions.size(), 4u);
  EXPECT_EQ(file.instructions[1].arguments, "a  b");
  EXPECT_EQ(file.instructions[2].arguments, "c \\\\");
  EXPECT_EQ(file.instructions[3].arguments, "d");
}

TEST(Dockerfile, flags_stand_before_the_arguments) {
  const Instruction copy = parse_instruction("COPY --from=0 --chown=1:2 a --b", 1);
  EXPECT_EQ(*copy.flag("from"), "0");
  EXPECT_EQ(*copy.flag("chown"), "1:2");
  EXPECT_EQ(copy.arguments, "a --b");
  EXPECT_EQ(copy.flag("platform"), nullptr);
  EXPECT_EQ(parse_instruction("HEALTHCHECK --interval=5s CMD x", 1).arguments, "--interval=5s CMD x");
}

TEST(Dockerfile, directives) {
  const Dockerfile file = parse_dockerfile("# syntax=docker/dockerfile:1\n# Escape = `\nFROM x\nRUN a `\n  b\\\n");
  EXPECT_EQ(file.escape, '`');
  EXPECT_EQ(file.instructions[1].arguments, "a   b\\");
  // Behind the first line that is none, it is a comment.
  EXPECT_EQ(parse_dockerfile("FROM x\n# escape=`\nRUN y\n").escape, '\\');
  EXPECT_EQ(parse_dockerfile("# words\n# escape=`\nFROM x\n").escape, '\\');
  EXPECT_THAT(failure_of("# escape=x\nFROM y\n"), HasSubstr("invalid escape token"));
  EXPECT_THAT(failure_of("# escape=`\n# escape=`\nFROM y\n"), HasSubstr("only one escape"));
}

TEST(Dockerfile, refuses_what_docker_refuses) {
  EXPECT_EQ(failure_of("FROM x\n\nBogus y\n"), "dockerfile parse error on line 3: unknown instruction: Bogus");
  EXPECT_THAT(failure_of("FROM\n"), HasSubstr("FROM requires at least one argument"));
  EXPECT_THAT(failure_of("FROM x\nRUN \xff\n"), HasSubstr("not valid UTF-8"));
  EXPECT_EQ(failure_of("# nothing\n"), "failed to parse Dockerfile: file with no instructions");
  EXPECT_THAT(failure_of("FROM x\nRUN --bogus=1 y\n"), HasSubstr("Unknown flag: bogus"));
  EXPECT_THAT(failure_of("FROM x\nCOPY --from a b\n"), HasSubstr("Missing a value on flag: from"));
  EXPECT_THAT(failure_of("FROM x\nCMD [\"a\", 1]\n"), HasSubstr("arrays must be comprised of strings only"));
}

// Before any step has begun.
TEST(Dockerfile, refuses_what_is_wrong_whatever_the_variables_come_to) {
  const auto failure_at_2 = [](const std::string& line) { return failure_of("FROM x\n" + line + "\n"); };
  const std::string at = "dockerfile parse error on line 2: ";
  EXPECT_EQ(failure_at_2("COPY a"), at + "COPY requires at least two arguments, but only one was provided. Destination "
                                         "could not be determined");
  EXPECT_EQ(failure_at_2("ADD [\"a\"]"), at + "ADD requires at least two arguments, but only one was provided. "
                                              "Destination could not be determined");
  EXPECT_EQ(failure_at_2("ENV a"), at + "ENV must have two arguments");
  EXPECT_EQ(failure_at_2("LABEL a=1 b"), at + "Syntax error - can't find = in \"b\". Must be of the form: name=value");
  EXPECT_EQ(failure_at_2("ARG =x"), at + "ARG names can not be blank");
  EXPECT_EQ(failure_at_2("SHELL sh -c"), at + "SHELL requires the arguments to be in JSON form");
  EXPECT_EQ(failure_at_2("HEALTHCHECK --interval=x CMD y"), at + "time: invalid duration \"x\"");
  EXPECT_EQ(failure_at_2("HEALTHCHECK BOGUS"), at + "Unknown type \"BOGUS\" in HEALTHCHECK (try CMD)");
  EXPECT_EQ(failure_at_2("ONBUILD FROM x"), at + "FROM isn't allowed as an ONBUILD trigger");
  EXPECT_EQ(failure_at_2("ONBUILD ONBUILD RUN x"), at + "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  std::string chain = "ONBUILD RUN x";
  for (int i = 0; i < 10'000; ++i) chain.insert(0, "ONBUILD ");
  EXPECT_EQ(failure_at_2(chain), at + "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  EXPECT_EQ(failure_at_2("ONBUILD BOGUS"), at + "unknown instruction: BOGUS");
  EXPECT_EQ(failure_at_2("USER"), at + "USER requires exactly one argument");
  EXPECT_EQ(failure_at_2("ENV a=${b:?c}"), "");
}

TEST(Dockerfile, empty_lines_within_an_instruction_are_warned_of) {
  EXPECT_THAT(parse_dockerfile("FROM x\n\nRUN a \\\n\n  b\n\nRUN c \\\n# d\n  e\n").warnings,
              ElementsAre("[WARNING]: Empty continuation line found in: RUN a   b",
                          "[WARNING]: Empty continuation lines will become errors in a future release."));
}

TEST(Dockerfile, refuses_what_only_buildkit_has_by_name) {
  EXPECT_THAT(failure_of("FROM x\nRUN --mount=type=cache,target=/c y\n"), HasSubstr("the --mount option of RUN"));
  EXPECT_THAT(failure_of("FROM x\nCOPY --chmod=755 a b\n"), HasSubstr("requires BuildKit"));
  EXPECT_THAT(failure_of("FROM x\nRUN <<EOF\necho\nEOF\n"), HasSubstr("here-document"));
  EXPECT_THAT(failure_of("FROM x\nCOPY <<-\"E\" /f\nE\n"), HasSubstr("here-document"));
  EXPECT_EQ(failure_of("FROM x\nRUN echo $((1 << 2)) '<<EOF' a<<b <<< word\n"), "");
}

TEST(DockerfileWords, variables) {
  EXPECT_EQ(word("$x/${x}"), "a b/a b");
  EXPECT_EQ(word("${no:-default} ${x:+set} ${no:+set}|${empty:-e}|${empty-e}"), "default set |e|");
  EXPECT_EQ(word("${no:-${x}-${no:-{}}}"), "a b-{}");
  EXPECT_EQ(word("'$x' \"$x\" \\$x"), "$x a b $x");
  EXPECT_EQ(word("$ $"), "$ $");
  EXPECT_EQ(word("a$1b$@"), "ab");
  EXPECT_EQ(word("\"a\\nb\\\"\" c\\ d '\\'"), "a\\nb\" c d \\");
  for (const char* bad : {"${x", "${x!y}", "${}", "${no:?}", "\"open", "'open", "${no:-"}) {
    EXPECT_THROW(word(bad), Error) << bad;
  }
  EXPECT_THROW(word(std::string(1000, ' ') +
                    [] {
                      std::string deep;
                      for (int i = 0; i < 1000; ++i) deep += "${no:-";
                      return deep + std::string(1000, '}');
                    }()),
               Error);
}

TEST(DockerfileWords, words_keep_their_quotes) {
  EXPECT_THAT(split_words("a \"b c\" d\\ e 'f \\'", '\\'), ElementsAre("a", "\"b c\"", "d\\ e", "'f \\'"));
}

TEST(DockerfileWords, pairs_in_both_forms) {
  const auto pairs = [](std::string_view text) { return expand_pairs("ENV", text, '\\', sample); };
  EXPECT_THAT(pairs("a=1 b='c $x' d=$x e=\"$q\""),
              ElementsAre(Pair("a", "1"), Pair("b", "c $x"), Pair("d", "a b"), Pair("e", "say \"hi\"")));
  EXPECT_THAT(pairs("name the   rest = of $x"), ElementsAre(Pair("name", "the   rest = of a b")));
  for (const char* bad : {"a", "a=1 b", "=1", "$empty=1"}) EXPECT_THROW(pairs(bad), Error) << bad;
}

TEST(BuildArguments, what_a_stage_sees) {
  BuildArguments arguments({{"given", "1"}, {"bare", std::nullopt}, {"HTTP_PROXY", "p"}, {"stray", "2"}});
  arguments.declare_global("given", "0");
  arguments.declare_global("base", "b");
  EXPECT_EQ(arguments.global("given"), "1");
  EXPECT_EQ(arguments.global("base"), "b");
  arguments.begin_stage();
  EXPECT_EQ(arguments.value("base"), std::nullopt);
  arguments.declare("base", std::nullopt);
  arguments.declare("bare", "default");
  arguments.declare("none", std::nullopt);
  EXPECT_EQ(arguments.value("base"), "b");
  EXPECT_EQ(arguments.value("given"), std::nullopt);
  EXPECT_THAT(arguments.values(), ElementsAre(Pair("HTTP_PROXY", "p"), Pair("bare", "default"), Pair("base", "b")));
  EXPECT_FALSE(arguments.counts_for_cache("HTTP_PROXY"));
  EXPECT_THAT(arguments.unused(), ElementsAre("stray"));
  arguments.begin_stage();
  EXPECT_EQ(arguments.value("base"), std::nullopt);
}

}  // namespace
}  // namespace quoll::mgr
