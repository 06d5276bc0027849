// --cache-from: the steps of images that were built elsewhere, and have no parents here.
#include <fcntl.h>

#include <algorithm>

#include "mgr/build/build_run.hpp"
#include "mgr/build/build_text.hpp"
#include "mgr/image/image_store.hpp"
#include "task/blocking.hpp"

namespace quoll::mgr {

namespace {

using nlohmann::json;

json history_of(const Image& image) {
  const auto history = image.config.find("history");
  return history != image.config.end() && history->is_array() ? *history : json::array();
}

// Whether `image` was made from `parent`, as far as its history and its layers tell.
bool stands_on(const Image& image, const Image& parent) {
  const json all = history_of(image);
  const json below = history_of(parent);
  return below.size() < all.size() && std::equal(below.begin(), below.end(), all.begin()) &&
         parent.diff_ids.size() <= image.diff_ids.size() &&
         std::equal(parent.diff_ids.begin(), parent.diff_ids.end(), image.diff_ids.begin()) && image.os == parent.os &&
         image.architecture == parent.architecture && image.variant == parent.variant;
}

}  // namespace

task::Task<void> BuildRun::take_cache_sources() {
  for (const std::string& name : request_.cache_from) {
    const bool is_here = co_await task::blocking([&] {
      try {
        cache_sources_.push_back(hold_.take(name));
        return true;
      } catch (const Error& error) {
        if (error.error_class() != ErrorClass::kNotFound) throw;
        return false;
      }
    });
    if (!is_here) co_await say("[Warning] cache-from " + name + ": no such image here\n");
  }
}

bool BuildRun::restore_step(const json& made_by, const std::stop_token& stop) {
  const std::string& parent_id = stages_.back().image_id;
  if (parent_id.empty()) return false;  // on scratch: there is no history to compare
  const Image parent = means_.images.image_of(parent_id);
  const std::string created_by = joined(made_by["Cmd"].get<std::vector<std::string>>());
  for (const Image& source : cache_sources_) {
    if (!stands_on(source, parent)) continue;
    json step = history_of(source)[history_of(parent).size()];
    if (json_string(step, "created_by") != created_by) continue;
    UniqueFd blob;
    ByteSource layer;
    if (!is_empty_layer(step)) {
      const std::vector<LayerRecord> layers = means_.images.layers_of(source.id);
      if (parent.diff_ids.size() >= layers.size()) continue;
      blob = open_file(means_.images.layout().blob(layers[parent.diff_ids.size()].blob), O_RDONLY);
      layer = file_source(blob.get(), "layer");
    }
    step.erase("empty_layer");
    add_image_with_history(std::move(step), made_by, std::move(layer), stop);
    return true;
  }
  return false;
}

}  // namespace quoll::mgr
