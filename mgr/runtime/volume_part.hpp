// A part of a volume as a mount of its own.
#pragma once

namespace quoll::mgr {

// A copy of what is mounted at `part` below the directory `volume`, attached nowhere. The kernel looks the part up
// inside the volume: no link in there, and nobody who changes one meanwhile, leads out of it.
//
// For the shim too: throws nothing and needs no more than libc. Negative where it fails, and errno says why.
int clone_volume_part(const char* volume, const char* part);

}  // namespace quoll::mgr
