#include "mgr/container/container_names.hpp"

#include <iterator>

#include "mgr/container/container_id.hpp"
#include "mgr/short_id.hpp"
#include "task/error.hpp"

namespace quoll::mgr {
namespace {

// How often a plain pair of words is tried before a digit is added.
constexpr int kPlainAttempts = 6;

constexpr auto kAdjectives = std::to_array<std::string_view>({
    "airy",    "amber",   "ample",  "autumn",   "balmy",    "bold",   "brave",    "breezy", "bright",  "brisk",
    "calm",    "candid",  "cheery", "civil",    "clear",    "clever", "cosy",     "crisp",  "curious", "dapper",
    "daring",  "dewy",    "eager",  "earnest",  "easy",     "fair",   "faithful", "fleet",  "fond",    "frank",
    "fresh",   "gentle",  "glad",   "golden",   "graceful", "grand",  "green",    "happy",  "hardy",   "hearty",
    "helpful", "honest",  "humble", "jolly",    "keen",     "kind",   "lively",   "loyal",  "lucid",   "mellow",
    "merry",   "mild",    "modest", "neat",     "nimble",   "noble",  "patient",  "placid", "plucky",  "polite",
    "proud",   "quick",   "quiet",  "ready",    "rosy",     "rustic", "serene",   "sharp",  "silver",  "simple",
    "sincere", "sleek",   "smooth", "sober",    "spry",     "steady", "sturdy",   "subtle", "sunny",   "swift",
    "tender",  "thrifty", "tidy",   "tranquil", "trusty",   "upbeat", "velvet",   "vivid",  "warm",    "wary",
    "willing", "wise",    "witty",  "zesty",
});

constexpr auto kSurnames = std::to_array<std::string_view>({
    "abel",       "ampere",    "anning",     "archimedes", "avogadro",   "babbage",  "banach",     "bell",
    "bernoulli",  "bohr",      "boole",      "borlaug",    "bose",       "brahe",    "cantor",     "carson",
    "cauchy",     "celsius",   "chandra",    "church",     "copernicus", "coulomb",  "curie",      "dalton",
    "darwin",     "descartes", "dirac",      "edison",     "einstein",   "erdos",    "euclid",     "euler",
    "faraday",    "fermat",    "fermi",      "feynman",    "fourier",    "franklin", "galileo",    "galois",
    "gauss",      "germain",   "godel",      "goodall",    "haber",      "halley",   "hamilton",   "hawking",
    "heisenberg", "herschel",  "hertz",      "hilbert",    "hooke",      "hopper",   "hubble",     "humboldt",
    "huygens",    "hypatia",   "joule",      "kelvin",     "kepler",     "knuth",    "kolmogorov", "lagrange",
    "lamarr",     "laplace",   "lavoisier",  "leibniz",    "linnaeus",   "lovelace", "maxwell",    "meitner",
    "mendel",     "mendeleev", "napier",     "newton",     "noether",    "nobel",    "ohm",        "oppenheimer",
    "pascal",     "pasteur",   "pauling",    "planck",     "poincare",   "ptolemy",  "raman",      "ramanujan",
    "riemann",    "ritchie",   "rutherford", "sagan",      "shannon",    "tesla",    "turing",     "volta",
    "watt",       "wiles",     "wright",     "yukawa",
});

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_name_tail(char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; }

std::string_view without_slash(std::string_view name) {
  if (name.starts_with('/')) name.remove_prefix(1);
  return name;
}

}  // namespace

std::string validate_container_name(std::string_view name) {
  const std::string_view bare = without_slash(name);
  if (bare.size() < 2 || !is_alphanumeric(bare[0]) || !std::all_of(bare.begin() + 1, bare.end(), is_name_tail)) {
    throw Error(ErrorClass::kInvalidArgument,
                "Invalid container name (" + std::string(name) + "), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
  }
  return std::string(bare);
}

std::string random_container_name(int attempt) {
  std::string name(kAdjectives[random_below(kAdjectives.size())]);
  name.append("_").append(kSurnames[random_below(kSurnames.size())]);
  if (attempt > 0) name.append(std::to_string(random_below(10)));
  return name;
}

void NameIndex::require_free(const std::string& name) const {
  const auto taken = id_by_name_.find(name);
  if (taken == id_by_name_.end()) return;
  throw Error(ErrorClass::kConflict,
              "Conflict. The container name \"/" + name + "\" is already in use by container \"" + taken->second +
                  "\". You have to remove (or rename) that container to be able to reuse that name.");
}

void NameIndex::add(const std::string& id, std::string_view name) {
  const std::string valid = validate_container_name(name);
  require_free(valid);
  if (name_by_id_.contains(id)) throw Error(ErrorClass::kAlreadyExists, "container id " + id + " is already in use");
  name_by_id_.emplace(id, valid);
  id_by_name_.emplace(valid, id);
}

std::string NameIndex::add_random(const std::string& id) {
  for (int attempt = 0; attempt < kPlainAttempts; ++attempt) {
    const std::string name = random_container_name(attempt);
    if (has_name(name)) continue;
    add(id, name);
    return name;
  }
  // So many containers that words no longer do: the short id is free unless someone took it as a name on purpose.
  const std::string name = short_id(id);
  add(id, has_name(name) ? id : name);
  return name_of(id);
}

void NameIndex::rename(const std::string& id, std::string_view name) {
  const std::string valid = validate_container_name(name);
  const auto own = name_by_id_.find(id);
  if (own == name_by_id_.end()) throw Error(ErrorClass::kNotFound, "No such container: " + id);
  if (own->second == valid) {
    throw Error(ErrorClass::kInvalidArgument, "Renaming a container with the same name as its current name");
  }
  require_free(valid);
  id_by_name_.erase(own->second);
  own->second = valid;
  id_by_name_.emplace(valid, id);
}

void NameIndex::remove(const std::string& id) {
  const auto found = name_by_id_.find(id);
  if (found == name_by_id_.end()) return;
  id_by_name_.erase(found->second);
  name_by_id_.erase(found);
}

std::string NameIndex::resolve(std::string_view reference) const {
  if (name_by_id_.contains(reference)) return std::string(reference);
  const auto named = id_by_name_.find(std::string(without_slash(reference)));
  if (named != id_by_name_.end()) return named->second;
  const auto first = name_by_id_.lower_bound(reference);
  if (reference.empty() || first == name_by_id_.end() || !first->first.starts_with(reference)) {
    throw Error(ErrorClass::kNotFound, "No such container: " + std::string(reference));
  }
  const auto second = std::next(first);
  if (second != name_by_id_.end() && second->first.starts_with(reference)) {
    throw Error(ErrorClass::kInvalidArgument, "multiple IDs found with provided prefix: " + std::string(reference));
  }
  return first->first;
}

const std::string& NameIndex::name_of(const std::string& id) const {
  const auto found = name_by_id_.find(id);
  if (found == name_by_id_.end()) throw Error(ErrorClass::kNotFound, "No such container: " + id);
  return found->second;
}

}  // namespace quoll::mgr
