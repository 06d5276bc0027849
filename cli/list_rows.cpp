#include "cli/list_rows.hpp"

#include <nlohmann/json.hpp>

#include "cli/human.hpp"
#include "cli/table.hpp"

namespace quoll::cli {
namespace {

using nlohmann::json;
using TimePoint = std::chrono::system_clock::time_point;

constexpr std::size_t kShortIdDigits = 12;
constexpr std::size_t kCommandWidth = 20;
constexpr const char* kNone = "<none>";

// Go writes an empty list as null.
const json& list_in(const json& object, const char* key) {
  static const json kEmpty = json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : kEmpty;
}

std::string joined_names(const json& container) {
  std::string names;
  for (const json& item : list_in(container, "Names")) {
    std::string name = item.get<std::string>();
    if (name.starts_with('/')) name.erase(0, 1);
    names += (names.empty() ? "" : ",") + name;
  }
  return names;
}

std::string shown_image(const std::string& image, IdForm form) {
  return image.starts_with("sha256:") ? shown_id(image, form) : image;
}

}  // namespace

std::string shown_id(std::string_view id, IdForm form) {
  if (form == IdForm::kFull) return std::string(id);
  if (id.starts_with("sha256:")) id.remove_prefix(7);
  return std::string(id.substr(0, kShortIdDigits));
}

std::string shown_command(std::string_view command, IdForm form) {
  std::string text = "\"";
  for (const char byte : form == IdForm::kFull ? std::string(command) : ellipsis(command, kCommandWidth)) {
    if (byte == '\n') {
      text += "\\n";
    } else if (byte == '\t') {
      text += "\\t";
    } else if (byte == '"' || byte == '\\') {
      text.append(1, '\\').append(1, byte);
    } else {
      text += byte;
    }
  }
  return text + "\"";
}

std::string shown_ports(const json& ports) {
  std::string text;
  for (const json& port : ports) {
    if (!text.empty()) text += ", ";
    if (const int published = port.value("PublicPort", 0); published != 0) {
      std::string address = port.value("IP", "");
      if (address.find(':') != std::string::npos) address = "[" + address + "]";
      text += address + (address.empty() ? "" : ":") + std::to_string(published) + "->";
    }
    text += std::to_string(port.value("PrivatePort", 0)) + "/" + port.value("Type", "tcp");
  }
  return text;
}

std::string shown_age(std::int64_t created, TimePoint now) {
  const auto age =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()) - std::chrono::seconds(created);
  return human_duration(age) + " ago";
}

std::vector<std::string> container_row(const json& container, IdForm form, TimePoint now) {
  return {shown_id(container.value("Id", ""), form),
          shown_image(container.value("Image", ""), form),
          shown_command(container.value("Command", ""), form),
          shown_age(container.value("Created", std::int64_t{0}), now),
          container.value("Status", ""),
          shown_ports(list_in(container, "Ports")),
          joined_names(container)};
}

std::vector<std::vector<std::string>> image_rows(const json& image, IdForm form, TimePoint now) {
  const std::string id = shown_id(image.value("Id", ""), form);
  const std::string created = shown_age(image.value("Created", std::int64_t{0}), now);
  const std::string size = human_size(image.value("Size", std::uint64_t{0}));
  std::vector<std::vector<std::string>> rows;
  for (const json& item : list_in(image, "RepoTags")) {
    const std::string reference = item.get<std::string>();
    // A colon before the last slash is that of a registry's port.
    const std::size_t colon = reference.rfind(':');
    const bool tagged = colon != std::string::npos && reference.find('/', colon) == std::string::npos;
    rows.push_back({reference.substr(0, tagged ? colon : std::string::npos),
                    tagged ? reference.substr(colon + 1) : kNone, id, created, size});
  }
  if (rows.empty()) {
    std::string repository = kNone;
    if (const json& digests = list_in(image, "RepoDigests"); !digests.empty()) {
      const std::string digest = digests[0].get<std::string>();
      repository = digest.substr(0, digest.find('@'));
    }
    rows.push_back({repository, kNone, id, created, size});
  }
  return rows;
}

}  // namespace quoll::cli
