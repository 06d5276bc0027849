// Files that are read along while they are written, and loads whose large layers are unpacked so.
#include "mgr/image/growing_file.hpp"

#include <fcntl.h>

#include <fstream>
#include <thread>

#include "mgr/image/digest.hpp"
#include "mgr/image/image_store_fixture.hpp"

namespace quoll::mgr {
namespace {

using namespace fixture;  // NOLINT(google-build-using-namespace): test vocabulary

class GrowingFileTest : public testing::Test {
 protected:
  void append(const std::string& text) {
    written_ += static_cast<std::int64_t>(text.size());
    std::ofstream(path_, std::ios::app) << text;
  }
  std::string read_all() {
    std::string all;
    char piece[7];
    while (const std::size_t got = file_.read(piece)) all.append(piece, got);
    return all;
  }

  TestDirectory directory_;
  const std::filesystem::path path_ = directory_.path() / "file";
  GrowingFile file_{path_};
  std::int64_t written_ = 0;
};

TEST_F(GrowingFileTest, is_read_to_its_end_while_it_grows) {
  std::string expected;
  std::string read;
  std::thread reader([&] { read = read_all(); });
  for (int i = 0; i < 500; ++i) {
    append(std::to_string(i));
    expected += std::to_string(i);
    if (i % 3 == 0) file_.grown_to(written_);
  }
  file_.complete(written_, "sha256:d");
  reader.join();
  EXPECT_EQ(read, expected);
  EXPECT_EQ(file_.digest(), "sha256:d");
}

TEST_F(GrowingFileTest, shows_no_more_than_it_has_been_told) {
  append("0123456789");
  file_.grown_to(4);
  char piece[100];
  EXPECT_EQ(file_.read(piece), 4u);
  file_.complete(10, "");
  EXPECT_EQ(file_.read(piece), 6u);
  EXPECT_EQ(file_.read(piece), 0u);
}

TEST_F(GrowingFileTest, wakes_a_reader_that_waits_when_it_is_broken_off) {
  append("part");
  file_.grown_to(4);
  std::thread writer([&] { file_.break_off(); });
  EXPECT_THROW(read_all(), Error);
  EXPECT_THROW(file_.digest(), Error);
  writer.join();
}

class GrowingLayerTest : public StoreFixture {
 protected:
  // More than is written before the unpacking begins, and not the same bytes all over.
  static std::string large(char first) {
    std::string content(5'000'000, first);
    for (std::size_t i = 0; i < content.size(); i += 97) content[i] = static_cast<char>('a' + i % 26);
    return content;
  }
  static ImageSpec large_image(const std::string& tag, char first) {
    ImageSpec image = small_image({tag}, large(first));
    image.layers.push_back(tar({directory("etc"), file("etc/name", "second")}));
    return image;
  }
  std::string hello_of(const std::string& name) {
    const Image image = store_->get(name);
    std::ifstream file(root_ / "layers" / image.chain_ids.at(0).substr(7) / "diff/bin/hello");
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

TEST_F(GrowingLayerTest, has_what_the_archive_says_in_every_compression) {
  const std::vector<std::pair<char, std::string (*)(std::string_view)>> packs{{'A', nullptr}, {'B', gzip}, {'C', zstd}};
  for (const auto& [mark, pack] : packs) {
    const std::string name = "large:" + std::string(1, mark);
    ImageSpec image = large_image(name, mark);
    image.pack = pack;
    load(docker_archive({image}));
    EXPECT_TRUE(hello_of(name) == large(mark)) << name;
    expect_no_work();
  }
}

TEST_F(GrowingLayerTest, of_a_size_that_the_store_has_is_loaded_too) {
  load(docker_archive({large_image("one:1", '1')}));
  load(docker_archive({large_image("two:1", '2')}));
  load(docker_archive({large_image("one:1", '1')}));
  EXPECT_TRUE(hello_of("one:1") == large('1'));
  EXPECT_TRUE(hello_of("two:1") == large('2'));
  EXPECT_EQ(layer_count(), 4u);
  expect_no_work();
}

TEST_F(GrowingLayerTest, leaves_nothing_where_the_archive_breaks_off) {
  const std::string archive = docker_archive({large_image("large:1", '1')});
  for (const std::size_t part : {2'000'000u, 3'500'000u, 5'002'000u}) {
    EXPECT_EQ(load_failure(archive.substr(0, part)).error_class(), ErrorClass::kInvalidArgument) << part;
    const auto broken = [rest = source(std::string_view(archive).substr(0, part))](std::span<char> buffer) {
      const std::size_t got = rest(buffer);
      if (got == 0) throw Error(ErrorClass::kCancelled, "left");
      return got;
    };
    EXPECT_EQ(failure([&] { store_->load(broken, {}); }).message(), "left") << part;
    expect_nothing_left();
  }
}

}  // namespace
}  // namespace quoll::mgr
