#include "mgr/registry/registry_manifest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "mgr/image/digest.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

json descriptor(const std::string& content, const std::string& type = "t") {
  return {{"mediaType", type}, {"digest", sha256_digest(content)}, {"size", content.size()}};
}

json manifest(std::string_view type = kOciManifest) {
  return {{"schemaVersion", 2},
          {"mediaType", type},
          {"config", descriptor("config")},
          {"layers", {descriptor("base"), descriptor("top")}}};
}

json entry(const std::string& content, const std::string& os, const std::string& architecture,
           const std::string& variant = "") {
  json value = descriptor(content);
  value["platform"] = {{"os", os}, {"architecture", architecture}};
  if (!variant.empty()) value["platform"]["variant"] = variant;
  return value;
}

json index(std::vector<json> entries, std::string_view type = kOciIndex) {
  return {{"schemaVersion", 2}, {"mediaType", type}, {"manifests", std::move(entries)}};
}

ErrorClass refusal(const std::string& text, std::string_view type = "") {
  try {
    parse_manifest(text, type);
  } catch (const Error& error) {
    return error.error_class();
  }
  ADD_FAILURE() << text;
  return ErrorClass::kInternal;
}

std::string chosen(const std::vector<json>& entries, const Platform& wanted) {
  const Manifest parsed = parse_manifest(index(entries).dump(), "");
  try {
    return choose_platform(parsed.manifests, wanted).digest;
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(registry_manifest, of_an_image) {
  for (const std::string_view type : {kOciManifest, kDockerManifest}) {
    const std::string text = manifest(type).dump();
    const Manifest parsed = parse_manifest(text, "");
    EXPECT_FALSE(parsed.is_index);
    EXPECT_EQ(parsed.media_type, type);
    EXPECT_EQ(parsed.digest, sha256_digest(text));
    EXPECT_EQ(parsed.text, text);
    EXPECT_EQ(parsed.config.digest, sha256_digest("config"));
    ASSERT_EQ(parsed.layers.size(), 2u);
    EXPECT_EQ(parsed.layers[0].digest, sha256_digest("base"));
    EXPECT_EQ(parsed.layers[1].size, 3);
  }
}

TEST(registry_manifest, says_itself_what_it_is_or_the_header_does) {
  json silent = manifest();
  silent.erase("mediaType");
  EXPECT_EQ(parse_manifest(silent.dump(), std::string(kDockerManifest) + "; charset=utf-8").media_type,
            kDockerManifest);
  EXPECT_EQ(parse_manifest(silent.dump(), "application/json").media_type, kOciManifest);
  json list = index({entry("a", "linux", "amd64")});
  list.erase("mediaType");
  EXPECT_TRUE(parse_manifest(list.dump(), "text/plain").is_index);
  EXPECT_EQ(parse_manifest(manifest().dump(), kDockerManifest).media_type, kOciManifest);
}

TEST(registry_manifest, that_is_none) {
  json no_config = manifest();
  no_config.erase("config");
  json no_layers = manifest();
  no_layers["layers"] = "none";
  json short_digest = manifest();
  short_digest["config"]["digest"] = "sha256:abc";
  json sha512 = manifest();
  sha512["layers"][0]["digest"] = "sha512:" + std::string(128, 'a');
  json negative = manifest();
  negative["layers"][0]["size"] = -1;
  json text_size = manifest();
  text_size["layers"][0]["size"] = "3";
  json no_object = manifest();
  no_object["layers"][0] = "layer";
  json many = manifest();
  many["layers"] = std::vector<json>(2000, descriptor("x"));
  json other = manifest("application/vnd.example");
  for (const json& wrong : {no_config, no_layers, short_digest, sha512, negative, text_size, no_object, many, other}) {
    EXPECT_EQ(refusal(wrong.dump()), ErrorClass::kInvalidArgument);
  }
  for (const char* text : {"", "{", "[]", "1", "{}"}) EXPECT_EQ(refusal(text), ErrorClass::kInvalidArgument) << text;
  EXPECT_EQ(refusal(R"({"schemaVersion":1,"fsLayers":[]})"), ErrorClass::kNotImplemented);
}

TEST(platform_choice, the_very_one_before_one_that_runs_as_well) {
  const std::vector<json> entries{entry("any", "linux", "arm64"), entry("v8", "linux", "arm64", "v8"),
                                  entry("amd", "linux", "amd64"), entry("win", "windows", "amd64")};
  EXPECT_EQ(chosen(entries, {"linux", "arm64", "v8"}), sha256_digest("v8"));
  EXPECT_EQ(chosen(entries, {"linux", "arm64", ""}), sha256_digest("any"));
  EXPECT_EQ(chosen(entries, {"linux", "amd64", "v3"}), sha256_digest("amd"));
  EXPECT_EQ(chosen(entries, {"windows", "amd64", ""}), sha256_digest("win"));
}

TEST(platform_choice, none_is_said_as_docker_says_it) {
  const std::vector<json> entries{entry("v7", "linux", "arm", "v7"), entry("amd", "linux", "amd64")};
  EXPECT_EQ(chosen(entries, {"linux", "arm", "v6"}),
            "no matching manifest for linux/arm/v6 in the manifest list entries");
  EXPECT_EQ(chosen(entries, {"linux", "s390x", ""}),
            "no matching manifest for linux/s390x in the manifest list entries");
  EXPECT_EQ(chosen({}, {"linux", "amd64", ""}), "no matching manifest for linux/amd64 in the manifest list entries");
}

TEST(platform_choice, a_lone_entry_without_a_platform_is_for_all_and_attestations_for_nobody) {
  EXPECT_EQ(chosen({descriptor("only")}, {"linux", "s390x", ""}), sha256_digest("only"));
  json attestation = entry("signed", "linux", "amd64");
  attestation["annotations"] = {{"vnd.docker.reference.type", "attestation-manifest"}};
  EXPECT_EQ(chosen({attestation, entry("real", "linux", "amd64")}, {"linux", "amd64", ""}), sha256_digest("real"));
  EXPECT_THAT(chosen({attestation}, {"linux", "amd64", ""}), testing::StartsWith("no matching manifest"));
}

}  // namespace
}  // namespace quoll::mgr
