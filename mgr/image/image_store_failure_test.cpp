// What an image store must survive: false archives, full disks, crashes, other processes and threads.
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <barrier>
#include <csignal>
#include <fstream>
#include <thread>

#include "mgr/image/digest.hpp"
#include "mgr/image/image_store_fixture.hpp"

namespace quoll::mgr {
namespace {

using namespace fixture;  // NOLINT(google-build-using-namespace): test vocabulary
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ImageStoreFailureTest : public StoreFixture {};

// --- Bad archives ----------------------------------------------------------------------------------------------------

TEST_F(ImageStoreFailureTest, a_false_blob_is_named_and_nothing_stays) {
  OciLayout layout;
  layout.index["manifests"].push_back(layout.image(small_image({})));
  for (const auto& [name, content] : layout.files) {
    OciLayout changed = layout;
    changed.files[name].back() ^= 1;
    const Error error = load_failure(changed.finish());
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    EXPECT_THAT(error.message(), HasSubstr("blob sha256:" + name.substr(13) + ": digest mismatch"));
    OciLayout without = layout;
    without.files.erase(name);
    EXPECT_THAT(load_failure(without.finish()).message(), HasSubstr("sha256:" + name.substr(13) + " is missing"));
  }
  EXPECT_THAT(store_->list(), IsEmpty());
  expect_nothing_left();
}

TEST_F(ImageStoreFailureTest, a_false_layer_is_named_and_nothing_stays) {
  const ImageSpec spec = small_image({"busybox:latest"});
  const std::string diff_id = sha256_digest(spec.layers[0]);
  for (const bool unpacked_before : {false, true}) {
    if (unpacked_before) load(docker_archive({spec}));
    // Another layer's tar under this configuration: a good archive in every other way.
    const auto archive = tar({file("l.tar", small_image({}, "other").layers[0]), file("c.json", spec.config()),
                              file("manifest.json", R"([{"Config":"c.json","Layers":["l.tar"]}])")});
    const Error error = load_failure(archive);
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    EXPECT_THAT(error.message(), HasSubstr("layer " + diff_id + ": digest mismatch"));
    EXPECT_EQ(blob_count(), unpacked_before ? 3u : 0u);
    EXPECT_EQ(layer_count(), unpacked_before ? 1u : 0u);
    expect_no_work();
  }
}

TEST_F(ImageStoreFailureTest, every_truncation_is_refused_and_leaves_nothing) {
  for (const auto outer : {static_cast<std::string (*)(std::string_view)>(nullptr), &gzip, &zstd}) {
    const std::string plain = docker_archive({small_image({"busybox:latest"}, std::string(3000, 'h'))});
    const std::string archive = outer == nullptr ? plain : outer(plain);
    // Behind the last entry nothing is missing that an image needs; the two closing blocks are optional in practice.
    const std::size_t end = outer == nullptr ? archive.size() - 1024 - 512 : archive.size() - 16;
    for (std::size_t length = 0; length < end; length += 1 + end / 40) {
      const Error error = load_failure(archive.substr(0, length));
      EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument) << length << ": " << error.message();
    }
  }
  EXPECT_THAT(store_->list(), IsEmpty());
  expect_nothing_left();
}

TEST_F(ImageStoreFailureTest, nonsense_is_refused_with_a_sentence) {
  const ImageSpec spec = small_image({});
  const auto docker = [&](const std::string& manifest, const std::string& config) {
    return tar({file("l.tar", spec.layers[0]), file("c.json", config), file("manifest.json", manifest)});
  };
  const std::string good = R"([{"Config":"c.json","Layers":["l.tar"]}])";
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "read archive: "},
      {"<html>not found</html>", "read archive: "},
      {tar({}), "neither manifest.json nor index.json"},
      {tar({file("a")}), "neither manifest.json nor index.json"},
      {tar({file("../manifest.json", "[]")}), "leads outside the archive"},
      {tar({file("manifest.json", "[]")}), "holds no image"},
      {tar({file("manifest.json", "{")}), "manifest.json: invalid JSON"},
      {tar({file("manifest.json", deep)}), "nested too deeply"},
      {tar({file("manifest.json", "[1]")}), "invalid archive: manifest.json"},
      {tar({file("manifest.json", R"([{"Config":7}])")}), "names no configuration"},
      {tar({symlink("manifest.json", "manifest.json")}), "neither manifest.json nor index.json"},
      {docker(R"([{"Config":"/etc/passwd","Layers":[]}])", "{}"), "/etc/passwd is missing"},
      {docker(R"([{"Config":"c.json","Layers":"l.tar"}])", spec.config()), "Layers is no list"},
      {docker(R"([{"Config":"c.json","Layers":[]}])", spec.config()), "layers length mismatch: expected 1, got 0"},
      {docker(R"([{"Config":"c.json","Layers":["l.tar"],"RepoTags":["a"]}])", spec.config()), "invalid tag \"a\""},
      {docker(R"([{"Config":"c.json","Layers":["l.tar"],"RepoTags":["A:1"]}])", spec.config()), "must be lowercase"},
      {docker(good, "[]"), "image configuration is no object"},
      {docker(good, "{}"), "no rootfs"},
      {docker(good, R"({"rootfs":{"type":"layers","diff_ids":["sha256:../../x"]}})"), "invalid diff id"},
      {docker(good, R"({"rootfs":{"type":"layers","diff_ids":[]},"created":5})"), "created: expected a string"},
      {docker(good, deep), "nested too deeply"},
      {tar({file("index.json", R"({"manifests":[{"digest":"sha256:../x"}]})")}), "invalid digest"},
      {tar({file("index.json", R"({"manifests":{}})")}), "manifests is no list"},
      {tar({file("index.json", "[]")}), "is no object"},
  };
  for (const auto& [archive, sentence] : cases) {
    const Error error = load_failure(archive);
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    EXPECT_THAT(error.message(), HasSubstr(sentence));
  }
  expect_nothing_left();
}

TEST_F(ImageStoreFailureTest, an_index_that_names_itself_is_refused) {
  // A digest cannot really contain itself, but a long nesting can be made.
  OciLayout layout;
  auto descriptor = layout.image(small_image({}));
  for (int i = 0; i < 10; ++i) {
    descriptor =
        layout.blob(nlohmann::json{{"manifests", {descriptor}}}.dump(), "application/vnd.oci.image.index.v1+json");
  }
  layout.index["manifests"].push_back(descriptor);
  EXPECT_THAT(load_failure(layout.finish()).message(), HasSubstr("nested too deeply"));
}

TEST_F(ImageStoreFailureTest, an_attack_in_the_last_of_many_layers_leaves_nothing) {
  ImageSpec spec = small_image({"evil:1"});
  spec.layers.push_back(tar({symlink("s", "/"), file("s/../../../../escape")}));
  EXPECT_THAT(load_failure(docker_archive({spec})).message(), HasSubstr("leads outside the archive's root"));
  expect_nothing_left();
}

TEST_F(ImageStoreFailureTest, what_the_source_throws_comes_out_and_nothing_stays) {
  const std::string archive = docker_archive({small_image({"busybox:latest"})});
  for (std::size_t limit = 0; limit < archive.size(); limit += 700) {
    std::size_t given = 0;
    const ByteSource broken = [&, inner = source(archive, 500)](std::span<char> buffer) mutable {
      if (given >= limit) throw Error(ErrorClass::kUnavailable, "client gone");
      const std::size_t got = inner(buffer);
      given += got;
      return got;
    };
    EXPECT_EQ(failure([&] { store_->load(broken, {}); }).message(), "client gone");
  }
  expect_nothing_left();
}

TEST_F(ImageStoreFailureTest, a_load_stops_wherever_it_is_asked) {
  // Asked at the nth piece of the archive, for each n; the last n are behind the archive's end, while layers unpack.
  const std::string archive = docker_archive({small_image({"busybox:latest"})});
  bool finished = false;
  int stopped = 0;
  for (int at = 0; !finished; ++at) {
    std::stop_source stop;
    int piece = 0;
    const ByteSource counting = [&, inner = source(archive, 512)](std::span<char> buffer) mutable {
      if (piece++ == at) stop.request_stop();
      return inner(buffer);
    };
    try {
      store_->load(counting, stop.get_token());
      finished = true;
    } catch (const Error& error) {
      ASSERT_EQ(error.error_class(), ErrorClass::kCancelled) << error.message();
      ++stopped;
      expect_nothing_left();
    }
  }
  EXPECT_GT(stopped, 5);
  EXPECT_THAT(store_->list(), SizeIs(1));
}

TEST_F(ImageStoreFailureTest, an_index_that_cannot_be_written_takes_the_load_back) {
  std::filesystem::create_directory(root_ / "images/references.json");  // nothing can be renamed onto it
  const Error error = load_failure(docker_archive({small_image({"busybox:latest"})}));
  EXPECT_EQ(error.error_class(), ErrorClass::kInternal);
  EXPECT_THAT(store_->list(), IsEmpty());
  expect_nothing_left();
  std::filesystem::remove(root_ / "images/references.json");
  load(docker_archive({small_image({"busybox:latest"})}));
  EXPECT_EQ(store_->get("busybox").size, 5);
}

// A file system of each size up to one that is large enough, in a mount namespace of its own: the load runs out of
// space at another step each time.
TEST_F(ImageStoreFailureTest, a_full_disk_is_said_and_leaves_nothing) {
  ImageSpec spec = small_image({"busybox:latest"}, std::string(200'000, 'h'));
  const std::string archive = docker_archive({spec});
  const auto mount_point = directory_.path() / "small";
  std::filesystem::create_directory(mount_point);
  bool loaded = false;
  int refused = 0;
  for (int pages = 16; !loaded && pages < 400; pages += 3) {
    const pid_t child = ::fork();
    if (child == 0) {
      const std::string size = "size=" + std::to_string(pages * 4096);
      if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
          ::mount("tmpfs", mount_point.c_str(), "tmpfs", 0, size.c_str()) != 0) {
        ::_exit(3);
      }
      ImageStore store(mount_point);
      try {
        store.load(source(archive), {});
        ::_exit(0);
      } catch (const Error& error) {
        const bool clean = names_in(mount_point / "images/blobs/sha256").empty() &&
                           names_in(mount_point / "images/work").empty() &&
                           names_in(mount_point / "layers").size() == 1 &&
                           names_in(mount_point / "layers/work").empty() && store.list().empty();
        ::_exit(clean && error.error_class() == ErrorClass::kResourceExhausted ? 1 : 2);
      }
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status));
    ASSERT_LT(WEXITSTATUS(status), 2) << pages;
    loaded = WEXITSTATUS(status) == 0;
    refused += loaded ? 0 : 1;
  }
  EXPECT_TRUE(loaded);
  EXPECT_GT(refused, 10);
}

// --- Crashes, other processes, other threads -------------------------------------------------------------------------

TEST_F(ImageStoreFailureTest, a_reopened_store_knows_everything) {
  ImageSpec spec = small_image({"busybox:latest"});
  spec.layers.push_back(tar({file("second")}));
  load(oci_archive(spec));
  const Image before = store_->get("busybox");
  open();
  const Image after = store_->get("busybox");
  EXPECT_EQ(after.id, before.id);
  EXPECT_EQ(after.repo_digests, before.repo_digests);
  EXPECT_EQ(after.config, before.config);
  EXPECT_EQ(after.size, before.size);
  EXPECT_EQ(after.manifest, before.manifest);
  EXPECT_THAT(store_->layer_directories(after.id), SizeIs(2));
}

TEST_F(ImageStoreFailureTest, leftovers_of_a_crash_are_swept) {
  load(docker_archive({small_image({"busybox:latest"})}));
  store_.reset();
  std::filesystem::create_directories(root_ / "images/work/work-abc");
  std::ofstream(root_ / "images/work/work-abc/1") << "half a blob";
  std::filesystem::create_directories(root_ / "layers/work/work-abc/0/diff/bin");
  std::filesystem::create_directories(root_ / "layers" / std::string(64, 'a') / "diff");  // moved in, never named
  std::ofstream(root_ / "images/blobs/sha256" / std::string(64, 'b')) << "moved in, never named";
  open();
  EXPECT_EQ(blob_count(), 3u);
  EXPECT_EQ(layer_count(), 1u);
  expect_no_work();
  EXPECT_EQ(store_->get("busybox").size, 5);
}

TEST_F(ImageStoreFailureTest, killed_at_any_moment_of_a_load) {
  // A child loads and is killed without warning at the nth piece; the last round kills it at the very end.
  const std::string archive = docker_archive({small_image({"second:1"}, "second")});
  load(docker_archive({small_image({"first:1"}, "first")}));
  store_.reset();
  for (std::size_t at = 0; at <= archive.size() / 1024 + 1; ++at) {
    const pid_t child = ::fork();
    if (child == 0) {
      std::size_t piece = 0;
      ImageStore store(root_);
      const ByteSource killing = [&, inner = source(archive, 1024)](std::span<char> buffer) mutable {
        if (piece++ == at) ::kill(::getpid(), SIGKILL);
        return inner(buffer);
      };
      store.load(killing, {});
      ::kill(::getpid(), SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    open();
    expect_no_work();
    EXPECT_EQ(store_->get("first:1").repo_tags.size(), 1u);
    EXPECT_EQ(blob_count(), store_->list().size() * 3);
    EXPECT_EQ(layer_count(), store_->list().size());
    store_.reset();
  }
  open();
  EXPECT_THAT(store_->list(), SizeIs(2));  // killed after the load had returned: it is there
}

TEST_F(ImageStoreFailureTest, a_second_store_on_the_same_root_is_refused) {
  const Error error = failure([&] { ImageStore second(root_); });
  EXPECT_EQ(error.error_class(), ErrorClass::kUnavailable);
  EXPECT_THAT(error.message(), HasSubstr("in use"));
}

TEST_F(ImageStoreFailureTest, a_damaged_index_is_refused_not_overwritten) {
  load(docker_archive({small_image({"busybox:latest"})}));
  store_.reset();
  std::ofstream(root_ / "images/references.json") << "{\"version\": 1, \"images\"";
  EXPECT_EQ(failure([&] { open(); }).error_class(), ErrorClass::kInternal);
  EXPECT_EQ(blob_count(), 3u);
  EXPECT_EQ(layer_count(), 1u);
}

TEST_F(ImageStoreFailureTest, a_damaged_image_is_not_listed_and_a_load_repairs_it) {
  const ImageSpec spec = small_image({"busybox:latest"});
  const std::string archive = docker_archive({spec});
  load(archive);
  const auto layer = store_->layer_directories(spec.id())[0];
  for (const std::filesystem::path& broken : {layer, root_ / "images/blobs/sha256" / digest_hex(spec.id())}) {
    store_.reset();
    std::filesystem::remove_all(broken);
    open();
    EXPECT_THAT(store_->list(), IsEmpty());
    EXPECT_THAT(store_->damaged(), ElementsAre(spec.id()));
    EXPECT_THAT(failure([&] { store_->get("busybox"); }).message(), HasSubstr("damaged"));
    load(archive);
    EXPECT_THAT(store_->damaged(), IsEmpty());
    EXPECT_EQ(read_file(store_->layer_directories(store_->get("busybox").id)[0] / "bin/hello", 100), "hello");
  }
}

TEST_F(ImageStoreFailureTest, one_archive_loaded_by_several_threads_at_once) {
  ImageSpec spec = small_image({"busybox:latest"});
  spec.layers.push_back(tar({file("second", std::string(100'000, 's'))}));
  const std::string archive = docker_archive({spec});
  constexpr int kThreads = 4;
  std::barrier start(kThreads);
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      start.arrive_and_wait();
      EXPECT_THAT(load(archive).image_ids, ElementsAre(spec.id()));
    });
  }
  threads.clear();
  EXPECT_THAT(store_->list(), SizeIs(1));
  EXPECT_EQ(blob_count(), 4u);
  EXPECT_EQ(layer_count(), 2u);
  expect_no_work();
}

TEST_F(ImageStoreFailureTest, loads_beside_removals_end_with_a_whole_image_or_none) {
  const ImageSpec base = small_image({"base:1"});
  ImageSpec child = small_image({"child:1"});
  child.layers.push_back(tar({file("extra")}));
  const std::string base_archive = docker_archive({base}), child_archive = docker_archive({child});
  std::barrier start(2);
  std::jthread remover([&] {
    start.arrive_and_wait();
    for (int i = 0; i < 20; ++i) {
      load(base_archive);
      store_->remove("base:1", {}, {});
    }
  });
  start.arrive_and_wait();
  for (int i = 0; i < 20; ++i) {
    load(child_archive);
    const auto layers = store_->layer_directories(child.id());
    EXPECT_TRUE(path_exists(layers[0] / "extra"));
    EXPECT_TRUE(path_exists(layers[1] / "bin/hello"));
    store_->remove("child:1", {}, {});
  }
  remover.join();
  EXPECT_THAT(store_->list(), IsEmpty());
  expect_nothing_left();
}

}  // namespace
}  // namespace quoll::mgr
