// What a client asks of an exec.
#include <nlohmann/json.hpp>

#include "mgr/attach/detach_keys.hpp"
#include "mgr/container/container_config_fields.hpp"
#include "mgr/exec/exec.hpp"
#include "task/error.hpp"

namespace quoll::mgr {

ExecConfig parse_exec_config(const nlohmann::json& body) {
  JsonFields fields(body, "");
  ExecConfig config;
  config.command = fields.words("Cmd").value_or(std::vector<std::string>());
  if (config.command.empty()) throw Error(ErrorClass::kInvalidArgument, "No exec command specified");
  config.env = fields.texts("Env");
  config.user = fields.text("User");
  config.working_dir = fields.text("WorkingDir");
  config.detach_keys = fields.text("DetachKeys");
  parse_detach_keys(config.detach_keys);
  config.tty = fields.flag("Tty");
  config.attach_stdin = fields.flag("AttachStdin");
  config.attach_stdout = fields.flag("AttachStdout");
  config.attach_stderr = fields.flag("AttachStderr");
  config.privileged = fields.flag("Privileged");
  if (const nlohmann::json* const size = fields.value("ConsoleSize")) {
    if (!size->is_array() || size->size() != 2 || !(*size)[0].is_number_unsigned() ||
        !(*size)[1].is_number_unsigned()) {
      refuse_value("ConsoleSize", "two numbers are expected");
    }
    config.console_size = {(*size)[0].get<unsigned>(), (*size)[1].get<unsigned>()};
  }
  // Of no effect here, but sent by python-docker: whose exec it is is in the path, and detaching is the start's to say.
  fields.flag("Detach");
  fields.text("Container");
  fields.refuse_the_rest();
  return config;
}

}  // namespace quoll::mgr
