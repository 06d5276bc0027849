// Reads every source file of the tree: includes follow the arrows, nothing prints or sleeps that should not, and files
// stay readable. Method: each rule is a function of one file, tried first on a good and a bad sample of its own.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

// Who may include whom, beside itself.
const std::map<std::string, std::set<std::string>> kArrows{
    {"task", {}},
    {"http", {"task"}},
    {"debug", {"http", "task"}},
    {"monitor", {}},
    {"mgr", {"http", "monitor", "task"}},
    {"api", {"http", "mgr", "monitor", "task"}},
    {"cli", {"http", "task"}},
    {"daemon", {"api", "debug", "http", "mgr", "task"}},
};

struct SourceFile {
  std::string path;  // relative to the tree
  std::string text;
  std::string folder() const { return path.substr(0, path.find('/')); }
  bool is_test() const {
    return path.ends_with("_test.cpp") || path.find("test") != std::string::npos ||
           path.find("fixture") != std::string::npos;
  }
};

std::vector<SourceFile> sources() {
  std::vector<SourceFile> files;
  for (const auto& [folder, allowed] : kArrows) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(QUOLL_SOURCE_DIR) / folder)) {
      const std::string extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".hpp") continue;
      std::stringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      files.push_back({fs::relative(entry.path(), QUOLL_SOURCE_DIR), text.str()});
    }
  }
  return files;
}

std::vector<std::string> wrong_includes(const SourceFile& file) {
  static const std::regex kInclude("#include \"([a-z]+)/([^\"]+)\"");
  std::vector<std::string> wrong;
  const std::set<std::string>& allowed = kArrows.at(file.folder());
  for (std::sregex_iterator match(file.text.begin(), file.text.end(), kInclude), end; match != end; ++match) {
    const std::string folder = (*match)[1];
    // Tests of any folder may use the shared test support and the debug surface's leak check.
    if (file.is_test() && (folder == "tests" || folder == "debug")) continue;
    // Of http, the engine's logic may know the client, and only where it speaks to registries; and base64, which is a
    // format.
    static const std::set<std::string> kClientHeaders{"client.hpp", "tls.hpp", "uri.hpp", "fields.hpp"};
    const std::string header = (*match)[2];
    if (file.folder() == "mgr" && folder == "http" && header != "base64.hpp" &&
        !(file.path.starts_with("mgr/registry/") && kClientHeaders.contains(header))) {
      wrong.push_back((*match)[0]);
      continue;
    }
    if (folder != file.folder() && kArrows.contains(folder) && !allowed.contains(folder)) wrong.push_back((*match)[0]);
  }
  return wrong;
}

bool matches(const SourceFile& file, const char* pattern) { return std::regex_search(file.text, std::regex(pattern)); }

TEST(layers, includes_follow_the_arrows) {
  EXPECT_TRUE(wrong_includes({"http/a.cpp", "#include \"task/task.hpp\"\n"}).empty());
  EXPECT_EQ(wrong_includes({"mgr/a.cpp", "#include \"http/server.hpp\"\n"}).size(), 1u);
  EXPECT_EQ(wrong_includes({"mgr/image/a.cpp", "#include \"http/client.hpp\"\n"}).size(), 1u);
  EXPECT_TRUE(wrong_includes({"mgr/registry/a.cpp", "#include \"http/client.hpp\"\n"}).empty());
  for (const SourceFile& file : sources()) {
    for (const std::string& include : wrong_includes(file)) ADD_FAILURE() << file.path << ": " << include;
  }
}

TEST(layers, product_code_neither_sleeps_nor_blocks_a_worker_nor_prints_for_debugging) {
  const char* const kBanned = R"(std::this_thread::sleep|\bstd::cout\b|co_spawn|asio::detached|\bstd::async\b)";
  EXPECT_FALSE(matches({"api/a.cpp", "co_await task::sleep_for(x);"}, kBanned));
  EXPECT_TRUE(matches({"api/a.cpp", "std::this_thread::sleep_for(x);"}, kBanned));
  for (const SourceFile& file : sources()) {
    if (file.is_test() || file.folder() == "cli") continue;
    EXPECT_FALSE(matches(file, kBanned)) << file.path;
  }
}

TEST(layers, handlers_find_their_container_where_dumps_learn_of_it) {
  for (const SourceFile& file : sources()) {
    if (file.folder() != "api" || file.path == "api/named_container.cpp") continue;
    EXPECT_EQ(file.text.find("containers.find(request.param("), std::string::npos)
        << file.path << ": use named_container()";
  }
}

// The text of the block that opens at or behind `from`.
std::string block_behind(const std::string& text, std::size_t from) {
  const std::size_t open = text.find('{', from);
  int depth = 0;
  for (std::size_t place = open; place < text.size(); ++place) {
    if (text[place] == '{') ++depth;
    if (text[place] == '}' && --depth == 0) return text.substr(open, place - open);
  }
  return "";
}

bool has_capturing_lambda_coroutine(const SourceFile& file) {
  static const std::regex kLambda(R"(\[[^\]\s]+\]\s*\([^)]*\)\s*(mutable\s*)?->\s*(quoll::)?(task::)?Task<)");
  for (std::sregex_iterator match(file.text.begin(), file.text.end(), kLambda), end; match != end; ++match) {
    const std::string body = block_behind(file.text, static_cast<std::size_t>(match->position() + match->length()));
    if (body.find("co_await") != std::string::npos || body.find("co_return") != std::string::npos) return true;
  }
  return false;
}

TEST(layers, no_lambda_coroutine_captures) {
  EXPECT_FALSE(has_capturing_lambda_coroutine({"api/a.cpp", "auto f = [](int x) -> task::Task<void> { co_return; };"}));
  EXPECT_FALSE(has_capturing_lambda_coroutine({"api/a.cpp", "auto f = [x]() -> Task<void> { return g(x); };"}));
  EXPECT_TRUE(has_capturing_lambda_coroutine({"api/a.cpp", "auto f = [x]() -> Task<void> { co_return; };"}));
  for (const SourceFile& file : sources()) {
    if (!file.is_test()) EXPECT_FALSE(has_capturing_lambda_coroutine(file)) << file.path;
  }
}

TEST(layers, headers_begin_with_what_they_are_and_files_stay_within_500_lines) {
  for (const SourceFile& file : sources()) {
    EXPECT_LE(std::count(file.text.begin(), file.text.end(), '\n'), 500) << file.path;
    if (!file.path.ends_with(".hpp")) continue;
    EXPECT_TRUE(file.text.starts_with("// ")) << file.path << ": no comment at its head";
    EXPECT_NE(file.text.find("#pragma once"), std::string::npos) << file.path;
  }
}

}  // namespace
