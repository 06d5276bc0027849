// ps, logs, stop, kill, rm, wait
#include <nlohmann/json.hpp>

#include "cli/each.hpp"
#include "cli/human.hpp"
#include "cli/list_rows.hpp"
#include "cli/log_copy.hpp"
#include "cli/table.hpp"
#include "http/uri.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;

std::string path_of(const std::string& container, const char* action) {
  return "/containers/" + http::percent_encode(container) + action;
}

// Docker's clients answer with the name as it was given.
task::Task<void> say(Context& context, std::string line) {
  line += '\n';
  co_await context.out.write(line);
}

task::Task<void> stop_one(Context& context, Engine& engine, const StopOptions& options, const std::string& name) {
  const std::string timeout = options.timeout_s ? std::to_string(*options.timeout_s) : "";
  // 304 says that it has stopped before, which is what was wanted.
  co_await engine.act("POST", path_of(name, "/stop") + query_string({{"t", timeout}}));
  co_await say(context, name);
}

task::Task<void> kill_one(Context& context, Engine& engine, const KillOptions& options, const std::string& name) {
  co_await engine.act("POST", path_of(name, "/kill") + query_string({{"signal", options.signal}}));
  co_await say(context, name);
}

task::Task<void> remove_one(Context& context, Engine& engine, const RemoveOptions& options, const std::string& name) {
  co_await engine.act("DELETE", path_of(name, "") + query_string({{"force", options.force ? "1" : ""}}));
  co_await say(context, name);
}

task::Task<void> wait_for_one(Context& context, Engine& engine, const WaitOptions&, const std::string& name) {
  const json answer = co_await engine.post(path_of(name, "/wait"), json::object());
  co_await say(context, std::to_string(answer.at("StatusCode").get<int>()));
}

}  // namespace

task::Task<int> execute(Context& context, const PsOptions& options) {
  Engine engine(context.host);
  const json containers = co_await engine.get("/containers/json" + query_string({{"all", options.all ? "1" : ""}}));
  const IdForm form = options.full ? IdForm::kFull : IdForm::kShort;
  std::string text;
  if (options.quiet) {
    for (const json& container : containers) text += shown_id(container.value("Id", ""), form) + "\n";
  } else {
    Table table({"CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"});
    const auto now = std::chrono::system_clock::now();
    for (const json& container : containers) table.add_row(container_row(container, form, now));
    text = table.text();
  }
  co_await context.out.write(text);
  co_return 0;
}

task::Task<int> execute(Context& context, const LogsOptions& options) {
  Engine engine(context.host);
  const auto now = std::chrono::system_clock::now();
  http::ClientRequest request{.target = path_of(options.container, "/logs") +
                                        query_string({{"stdout", "1"},
                                                      {"stderr", "1"},
                                                      {"follow", options.follow ? "1" : ""},
                                                      {"timestamps", options.timestamps ? "1" : ""},
                                                      {"tail", options.tail},
                                                      {"since", query_time(options.since, now)},
                                                      {"until", query_time(options.until, now)}})};
  http::ClientResponse response = co_await engine.open(std::move(request));
  co_await copy_log(context, response);
  co_return 0;
}

task::Task<int> execute(Context& context, const StopOptions& options) {
  return for_each_name(context, options, options.containers, stop_one);
}

task::Task<int> execute(Context& context, const KillOptions& options) {
  return for_each_name(context, options, options.containers, kill_one);
}

task::Task<int> execute(Context& context, const RemoveOptions& options) {
  return for_each_name(context, options, options.containers, remove_one);
}

task::Task<int> execute(Context& context, const WaitOptions& options) {
  return for_each_name(context, options, options.containers, wait_for_one);
}

}  // namespace quoll::cli
