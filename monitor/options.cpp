#include "monitor/options.hpp"

#include <string_view>

namespace quoll::monitor {

std::optional<Options> parse_options(int argc, char** argv, std::string& why) {
  Options options;
  const std::string_view verb = argc > 1 ? argv[1] : "";
  options.exec = verb == "exec";
  if (!options.exec && verb != "create") {
    why = "usage: quoll-monitor create|exec --id ID --bundle DIRECTORY [OPTION...] -- RUNTIME [OPTION...]";
    return std::nullopt;
  }
  int at = 2;
  for (; at < argc && std::string_view(argv[at]) != "--"; ++at) {
    const std::string_view name = argv[at];
    if (name == "--terminal") {
      options.terminal = true;
    } else if (name == "--stdin") {
      options.open_stdin = true;
    } else if (name == "--client") {
      options.first_client = true;
    } else if (std::string* const value = name == "--id"        ? &options.id
                                          : name == "--exec-id" ? &options.exec_id
                                          : name == "--bundle"  ? &options.bundle
                                          : name == "--log"     ? &options.log_path
                                                                : nullptr;
               value != nullptr && at + 1 < argc) {
      *value = argv[++at];
    } else {
      why = "unknown option " + std::string(name);
      return std::nullopt;
    }
  }
  for (++at; at < argc; ++at) options.runtime.emplace_back(argv[at]);
  if (options.id.empty() || options.bundle.empty() || options.runtime.empty() ||
      options.exec != !options.exec_id.empty()) {
    why = "--id, --bundle, a runtime, and for an exec --exec-id are needed";
    return std::nullopt;
  }
  return options;
}

}  // namespace quoll::monitor
