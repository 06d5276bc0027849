// Volumes in a container's configuration: how they are asked for, and what becomes of them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgr/container/container_config.hpp"
#include "mgr/container/container_volumes.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;
using Kind = MountConfig::Kind;
using Origin = MountConfig::Origin;

ContainerConfig resolve(const std::string& fields, const std::string& image_volumes = "{}") {
  const json body = json::parse("{" + fields + "}");
  return resolve_with_image(parse_container_config(body),
                            json::parse(R"({"config":{"Cmd":["x"],"Volumes":)" + image_volumes + "}}"));
}

std::string error_of(const std::string& fields) {
  try {
    resolve(fields);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(container_config_volumes, all_ways_to_ask_for_one) {
  const ContainerConfig config = resolve(R"("Volumes":{"/a":{}},"HostConfig":{
    "Binds":["data:/b:ro,nocopy","/c"],
    "Mounts":[{"Type":"volume","Source":"more","Target":"/d","ReadOnly":true,
               "VolumeOptions":{"NoCopy":true,"Labels":{"x":"y"},"Subpath":"s/t",
                                "DriverConfig":{"Name":"local","Options":{"o":"bind"}}}}]})");
  ASSERT_EQ(config.mounts.size(), 4u);
  const MountConfig bound{.origin = Origin::kBinds,
                          .kind = Kind::kVolume,
                          .source = "data",
                          .target = "/b",
                          .read_only = true,
                          .mode = "ro,nocopy",
                          .volume_no_copy = true};
  EXPECT_EQ(config.mounts[0], bound);
  EXPECT_EQ(config.mounts[1].target, "/c");
  EXPECT_EQ(config.mounts[1].source, "");
  EXPECT_EQ(config.mounts[2].volume_subpath, "s/t");
  EXPECT_EQ(config.mounts[2].volume_labels.at("x"), "y");
  EXPECT_EQ(config.mounts[2].volume_options.at("o"), "bind");
  EXPECT_TRUE(config.mounts[2].volume_no_copy);
  EXPECT_EQ(config.mounts[3].origin, Origin::kVolumes);
  EXPECT_EQ(config.mounts[3].target, "/a");
}

TEST(container_config_volumes, the_images_give_way_to_what_is_mounted_there) {
  const ContainerConfig config =
      resolve(R"("HostConfig":{"Binds":["/h:/a"],"Tmpfs":{"/t":""}})", R"({"/a/":{},"/t":{},"/b":{}})");
  ASSERT_EQ(config.mounts.size(), 3u);
  EXPECT_EQ(config.mounts[2].target, "/b");
  EXPECT_EQ(config.mounts[2].kind, Kind::kVolume);
}

TEST(container_config_volumes, what_is_mounted_comes_back_from_the_store) {
  ContainerConfig config =
      resolve(R"("Volumes":{"/a":{}},"HostConfig":{"Binds":["data:/b","/h:/h"],"VolumesFrom":["c:ro"]})");
  config.mounts.push_back({.origin = Origin::kVolumesFrom, .kind = Kind::kBind, .source = "/s", .target = "/other"});
  for (MountConfig& mount : config.mounts) {
    if (mount.kind == Kind::kVolume) mount.volume_path = "/v/" + mount.target;
  }
  const ContainerConfig back = config_from_json(json::parse(config_to_json(config).dump()));
  EXPECT_EQ(back.host, config.host);
  EXPECT_TRUE(std::ranges::is_permutation(back.mounts, config.mounts));
}

TEST(container_config_volumes, bad_ones_are_refused) {
  EXPECT_NE(error_of(R"("HostConfig":{"Binds":["x:/b"]})").find("too short"), std::string::npos);
  EXPECT_NE(error_of(R"("HostConfig":{"Binds":["a$b:/b"]})").find("invalid characters"), std::string::npos);
  EXPECT_NE(error_of(R"("HostConfig":{"Binds":["/h:/b:nocopy"]})").find("invalid mode"), std::string::npos);
  EXPECT_NE(error_of(R"("Volumes":{"relative":{}})").find("must be absolute"), std::string::npos);
  EXPECT_NE(error_of(R"("Volumes":{"/":{}})").find("can't be '/'"), std::string::npos);
  const std::string subpath =
      R"("HostConfig":{"Mounts":[{"Type":"volume","Source":"vol","Target":"/x","VolumeOptions":)";
  EXPECT_NE(error_of(subpath + R"({"Subpath":"/abs"}}]})").find("relative"), std::string::npos);
  EXPECT_NE(error_of(subpath + R"({"Subpath":"a/../../b"}}]})").find("within the volume"), std::string::npos);
}

TEST(container_config_volumes, volumes_from_bring_what_others_mount) {
  const std::vector<MountConfig> others{
      {.kind = Kind::kVolume, .source = "data", .target = "/data", .volume_path = "/v/data"},
      {.kind = Kind::kBind, .source = "/h", .target = "/taken"},
      {.origin = Origin::kTmpfs, .kind = Kind::kTmpfs, .target = "/tmp"},
      {.kind = Kind::kVolume, .source = "also", .target = "/image", .volume_path = "/v/also"}};
  ContainerConfig config =
      resolve(R"("HostConfig":{"Binds":["/own:/taken"],"VolumesFrom":["db:ro"]})", R"({"/image":{}})");
  add_volumes_from(config, [&](std::string_view container) {
    EXPECT_EQ(container, "db");
    return others;
  });
  ASSERT_EQ(config.mounts.size(), 3u);
  EXPECT_EQ(config.mounts[0].source, "/own");
  EXPECT_EQ(config.mounts[1].source, "also");
  EXPECT_EQ(config.mounts[2].source, "data");
  EXPECT_TRUE(config.mounts[1].read_only && config.mounts[2].read_only);
  for (const char* bad : {":ro", "db:rx", "db:ro:z"}) {
    config.host.volumes_from = {bad};
    EXPECT_THROW(add_volumes_from(config, [&](std::string_view) { return others; }), Error) << bad;
  }
}

}  // namespace
}  // namespace quoll::mgr
