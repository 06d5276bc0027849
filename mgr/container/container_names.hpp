// Names of containers: what is a name, random names, and the index that turns what a client wrote into an id.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace quoll::mgr {

// `name` without the one leading slash that clients may send.
//
// Errors: kInvalidArgument in Docker's words unless it matches [a-zA-Z0-9][a-zA-Z0-9_.-]+.
std::string validate_container_name(std::string_view name);

// "adjective_surname"; with `attempt` > 0 a digit follows, so that a full word list still ends.
std::string random_container_name(int attempt = 0);

// The containers that exist, by id and by name.
//
// Thread: all methods on the container manager's executor.
// Errors: an id or name that is taken throws and changes nothing.
class NameIndex {
 public:
  // Takes `name` for `id`. Names are kept without the leading slash.
  //
  // Errors: kConflict in Docker's words if the name is taken, kAlreadyExists if the id is; kInvalidArgument for a bad
  // name.
  void add(const std::string& id, std::string_view name);

  // Takes a random free name for `id`, and returns it.
  std::string add_random(const std::string& id);

  // Gives `id` another name. Renaming to its own name is a kInvalidArgument, as Docker has it.
  void rename(const std::string& id, std::string_view name);

  // Forgets `id` and its name; an unknown id is ignored.
  void remove(const std::string& id);

  // The id that `reference` means: a whole id, else a name (with or without slash), else a prefix of exactly one id.
  //
  // Errors: kNotFound "No such container: x"; kInvalidArgument if the prefix fits several.
  std::string resolve(std::string_view reference) const;

  // The name of `id` without slash.
  //
  // Errors: kNotFound for an unknown id.
  const std::string& name_of(const std::string& id) const;

  bool has_name(const std::string& name) const { return id_by_name_.contains(name); }
  size_t size() const { return name_by_id_.size(); }

 private:
  void require_free(const std::string& name) const;

  std::map<std::string, std::string, std::less<>> name_by_id_;  // ordered: a prefix is a range
  std::unordered_map<std::string, std::string> id_by_name_;
};

}  // namespace quoll::mgr
