#include "api/event_json.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace quoll::api {
namespace {

using nlohmann::json;

const mgr::Event kDie{"container",
                      "die",
                      "0123456789abcdef",
                      {{"name", "web"}, {"image", "localhost:5000/busybox:1.36"}, {"exitCode", "3"}, {"tier", "front"}},
                      1'700'000'000'000'000'007};
const mgr::Event kHealth{"container", "health_status: healthy", "fedc", {{"name", "db"}, {"image", "pg"}}, 1};

bool match(const mgr::Event& event, const json& filters) {
  return match_event(Filters(filters.dump(), {"container", "daemon", "event", "image", "label", "network", "plugin",
                                              "scope", "type", "volume"}),
                     event);
}

TEST(event_json, has_the_new_and_the_old_fields) {
  const json line = event_json(kDie);
  EXPECT_EQ(line["Type"], "container");
  EXPECT_EQ(line["Action"], "die");
  EXPECT_EQ(line["status"], "die");
  EXPECT_EQ(line["id"], "0123456789abcdef");
  EXPECT_EQ(line["from"], "localhost:5000/busybox:1.36");
  EXPECT_EQ(line["Actor"]["ID"], "0123456789abcdef");
  EXPECT_EQ(line["Actor"]["Attributes"]["exitCode"], "3");
  EXPECT_EQ(line["scope"], "local");
  EXPECT_EQ(line["time"], 1'700'000'000);
  EXPECT_EQ(line["timeNano"], 1'700'000'000'000'000'007);
  EXPECT_FALSE(event_json({"volume", "create", "data", {}, 0}).contains("status"));
}

TEST(event_json, filters_choose_as_docker_does) {
  EXPECT_TRUE(match(kDie, json::object()));
  EXPECT_TRUE(match(kDie, {{"type", {"container", "image"}}}));
  EXPECT_FALSE(match(kDie, {{"type", {"image"}}}));
  EXPECT_TRUE(match(kDie, {{"container", {"we"}}}));
  EXPECT_TRUE(match(kDie, {{"container", {"0123"}}}));
  EXPECT_FALSE(match(kDie, {{"container", {"eb"}}}));
  EXPECT_TRUE(match(kDie, {{"image", {"localhost:5000/busybox"}}}));
  EXPECT_TRUE(match(kDie, {{"image", {"localhost:5000/busybox:1.36"}}}));
  EXPECT_FALSE(match(kDie, {{"image", {"busybox"}}}));
  EXPECT_TRUE(match(kDie, {{"label", {"tier=front"}}}));
  EXPECT_FALSE(match(kDie, {{"label", {"tier=back"}}}));
  EXPECT_FALSE(match(kDie, {{"event", {"start", "di"}}}));
  EXPECT_FALSE(match(kDie, {{"volume", {"data"}}}));
  EXPECT_FALSE(match(kDie, {{"scope", {"swarm"}}}));
  EXPECT_TRUE(match(kHealth, {{"event", {"health_status"}}}));
  EXPECT_TRUE(match(kHealth, {{"event", {"health_status: healthy"}}}));
  EXPECT_FALSE(match(kHealth, {{"event", {"health_status: unhealthy"}}}));
}

}  // namespace
}  // namespace quoll::api
