// The download of one blob, whatever the connection does.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "mgr/registry/registry_manifest.hpp"
#include "mgr/registry/registry_session.hpp"
#include "task/task.hpp"

namespace quoll::mgr {

// Takes the next bytes. Fills no buffer of its own beyond what it needs.
using BlobSink = std::function<task::Task<void>(std::span<const char>)>;
// Told before each wait: in how many seconds the download is tried again.
using RetryNotice = std::function<void(int seconds)>;

inline constexpr int kDownloadAttemptsMax = 6;  // without progress between them

// Gives `sink` the blob's bytes, each once and in order. A connection that breaks or stands still is followed by
// another, after a pause that doubles, which asks for the rest only (Range).
//
// The bytes are not verified here: `sink` digests them. Their number is.
//
// Cancel: at once.
// Errors: kUnavailable after the last attempt; kInvalidArgument where the registry sends more or fewer bytes than the
//         descriptor says; what `sink` throws.
task::Task<void> download_blob(RegistrySession& session, ContentDescriptor descriptor, BlobSink sink,
                               RetryNotice on_retry);

// A small blob, verified. Errors: as above; kInvalidArgument where it is not what its digest says, or larger than
// `size_max`.
task::Task<std::string> download_small_blob(RegistrySession& session, ContentDescriptor descriptor,
                                            std::int64_t size_max);

}  // namespace quoll::mgr
