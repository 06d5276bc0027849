#include "mgr/image/image_config_types.hpp"

#include <gtest/gtest.h>

#include "mgr/image/image.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

using nlohmann::json;

const char* const kRootfs = R"("rootfs":{"type":"layers","diff_ids":[]})";

// Each field that has a type, as Docker writes it.
const char* const kWhole = R"({
  "created": "2024-05-01T12:00:00Z", "author": "a", "comment": "c", "architecture": "amd64", "variant": "v1",
  "os": "linux", "os.version": "1", "os.features": ["f"], "docker_version": "27.0",
  "config": {
    "Hostname": "h", "Domainname": "d", "User": "u", "Image": "sha256:1", "WorkingDir": "/w", "MacAddress": "",
    "StopSignal": "SIGTERM", "AttachStdin": false, "AttachStdout": false, "AttachStderr": false, "Tty": true,
    "OpenStdin": false, "StdinOnce": false, "ArgsEscaped": true, "NetworkDisabled": false, "Cmd": ["sh"],
    "Entrypoint": ["e"], "Shell": ["s"], "Env": ["A=b"], "OnBuild": ["RUN x"], "ExposedPorts": {"80/tcp": {}},
    "Volumes": {"/v": {}}, "Labels": {"l": "x"}, "StopTimeout": 3,
    "Healthcheck": {"Test": ["NONE"], "Interval": 1, "Timeout": 2, "StartPeriod": 3, "StartInterval": 4, "Retries": 5}},
  "history": [{"created": "2024-05-01T12:00:00Z", "created_by": "b", "author": "a", "comment": "c", "empty_layer": true}],
  "rootfs": {"type": "layers", "diff_ids": []}
})";

// What is said of a configuration; "" where it is taken.
std::string refusal(const std::string& text) {
  try {
    parse_image_config(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.error_class(), ErrorClass::kInvalidArgument);
    return error.message();
  }
  return "";
}

// Of one with these fields beside the rootfs.
std::string refusal_of(const std::string& fields) { return refusal("{" + fields + "," + kRootfs + "}"); }

// Where its fields lie, the inner ones before what they lie in: "/config/Env", "/history/0/created".
std::vector<json::json_pointer> places_in(const json& document) {
  std::vector<json::json_pointer> places;
  for (const auto& [key, value] : document.items()) {
    if (key != "config" && key != "history" && key != "rootfs") places.push_back(json::json_pointer() / key);
  }
  for (const char* each : {"/config/Healthcheck", "/config", "/history/0", "/rootfs"}) {
    const json::json_pointer object(each);
    for (const auto& [key, value] : document.at(object).items()) places.push_back(object / key);
  }
  return places;
}

TEST(image_config_types, are_dockers) { EXPECT_EQ(refusal(kWhole), ""); }

TEST(image_config_types, another_type_is_refused_wherever_it_stands) {
  const json whole = json::parse(kWhole);
  const auto places = places_in(whole);
  EXPECT_EQ(places.size(), 47u);
  for (const auto& place : places) {
    json changed = whole;
    json& value = changed.at(place);
    value = value.is_number() || value.is_boolean() ? json("text") : json(1);
    EXPECT_NE(refusal(changed.dump()), "") << place;
  }
}

TEST(image_config_types, null_is_nothing) {
  json whole = json::parse(kWhole);
  for (const auto& place : places_in(whole)) {
    if (place.to_string() != "/rootfs/type") whole.at(place) = nullptr;
  }
  EXPECT_EQ(refusal(whole.dump()), "");
  whole["config"] = whole["history"] = nullptr;
  EXPECT_EQ(refusal(whole.dump()), "");
  EXPECT_EQ(refusal_of(R"("history":[null])"), "");
}

TEST(image_config_types, one_string_is_a_command_and_other_fields_are_let_be) {
  EXPECT_EQ(refusal_of(R"("config":{"Cmd":"sh","Memory":"much"},"moby.buildkit.cache.v0":7)"), "");
}

TEST(image_config_types, what_is_wrong_is_named) {
  EXPECT_EQ(refusal_of(R"("created":5)"), "image configuration: created: expected a string");
  EXPECT_EQ(refusal_of(R"("config":"x")"), "image configuration: config: expected an object");
  EXPECT_EQ(refusal_of(R"("config":{"Env":"A=b"})"), "image configuration: config.Env: expected a list of strings");
  EXPECT_EQ(refusal_of(R"("config":{"Env":[1]})"), "image configuration: config.Env: expected a string");
  EXPECT_EQ(refusal_of(R"("config":{"Labels":{"a":1}})"), "image configuration: config.Labels.a: expected a string");
  EXPECT_EQ(refusal_of(R"("config":{"Volumes":["/v"]})"), "image configuration: config.Volumes: expected an object");
  EXPECT_EQ(refusal_of(R"("config":{"Healthcheck":[]})"),
            "image configuration: config.Healthcheck: expected an object");
  EXPECT_EQ(refusal_of(R"("history":{})"), "image configuration: history: expected a list");
  EXPECT_EQ(refusal_of(R"("history":[{},1])"), "image configuration: history[1]: expected an object");
  EXPECT_EQ(refusal_of(R"("history":[{"created":5}])"), "image configuration: history[0].created: expected a string");
  EXPECT_EQ(refusal(R"({"rootfs":{"type":"layers","diff_ids":{}}})"), "image configuration: diff_ids is no list");
}

}  // namespace
}  // namespace quoll::mgr
