// Memory of the start that the running daemon need not keep.
#pragma once

namespace quoll::daemon {

// Unmaps the pages of program code that have been read so far, ours and the libraries'. Most of it belongs to the start
// (options, relocation, schemas, listeners) and is not run again; the kernel reads around each page as well. What is
// run again is mapped from the page cache at its next use.
//
// Thread: any. Of no effect where /proc cannot be read.
void drop_startup_pages();

}  // namespace quoll::daemon
