#include "mgr/container/log_tag.hpp"

#include <gtest/gtest.h>

#include "task/error.hpp"

namespace quoll::mgr {
namespace {

const LogTagFacts kFacts{"0123456789abcdef", "web", "sha256:0123456789abcdef", "busybox:latest", "sh -c true"};

TEST(log_tag, names_what_docker_names) {
  EXPECT_EQ(expand_log_tag("plain", kFacts), "plain");
  EXPECT_EQ(expand_log_tag("{{.ImageName}}|{{ .Name }}|{{.ID}}", kFacts), "busybox:latest|web|0123456789ab");
  EXPECT_EQ(expand_log_tag("{{.FullID}} {{.ImageID}} {{.ImageFullID}}", kFacts),
            "0123456789abcdef sha256:01234 sha256:0123456789abcdef");
  EXPECT_EQ(expand_log_tag("<{{.Command}}>{{.DaemonName}}}}", kFacts), "<sh -c true>docker}}");
  EXPECT_EQ(expand_log_tag("", kFacts), "");
}

TEST(log_tag, what_it_cannot_is_refused_by_name) {
  for (const char* const format : {"{{lower .Name}}", "{{}}", "{{.name}}", "{{.ID}}{{if .Name}}x{{end}}"}) {
    try {
      expand_log_tag(format, kFacts);
      ADD_FAILURE() << format;
    } catch (const Error& error) {
      EXPECT_EQ(error.error_class(), ErrorClass::kNotImplemented) << format;
    }
  }
  EXPECT_THROW(expand_log_tag("{{.ID", kFacts), Error);
}

}  // namespace
}  // namespace quoll::mgr
