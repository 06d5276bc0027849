// Runs inside the container (linked statically) and writes lines for the log benchmarks.
//
//     line_writer stamp COUNT INTERVAL_US   COUNT lines of the moment of their writing, CLOCK_MONOTONIC in ns
//     line_writer burst COUNT BYTES         COUNT numbered lines of BYTES bytes each, as fast as stdout takes them
//
// Both begin when the file /bench/go is there; when all is written /bench/done is made, holding the seconds it took.
// The program then stays until it is killed, so that the processor time of its monitor can still be read.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

long long now_ns() {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void sleep_ns(long long ns) {
  timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
  ::nanosleep(&time, nullptr);
}

void write_all(const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::write(STDOUT_FILENO, data, size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) std::exit(1);
    data += count;
    size -= static_cast<std::size_t>(count);
  }
}

void stamp(long count, long long interval_ns) {
  for (long i = 0; i < count; ++i) {
    char line[32];
    sleep_ns(interval_ns);
    write_all(line, static_cast<std::size_t>(std::snprintf(line, sizeof(line), "%020lld\n", now_ns())));
  }
}

// As the C library's buffered stdout writes into a pipe: pieces of 4 KiB, which do not end at lines.
void burst(long count, std::size_t bytes) {
  constexpr std::size_t kPiece = 4096;
  std::string pending;
  for (long i = 0; i < count; ++i) {
    char number[16];
    std::snprintf(number, sizeof(number), "%010ld ", i);
    pending.append(number).append(bytes - std::strlen(number) - 1, 'x').push_back('\n');
    if (pending.size() < kPiece) continue;
    write_all(pending.data(), kPiece);
    pending.erase(0, kPiece);
  }
  write_all(pending.data(), pending.size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  while (::access("/bench/go", F_OK) != 0) sleep_ns(200'000);
  const long long start = now_ns();
  const long count = std::strtol(argv[2], nullptr, 10);
  const long option = std::strtol(argv[3], nullptr, 10);
  if (std::strcmp(argv[1], "stamp") == 0) {
    stamp(count, option * 1000LL);
  } else {
    burst(count, static_cast<std::size_t>(option));
  }
  char text[32];
  const int size = std::snprintf(text, sizeof(text), "%.6f\n", static_cast<double>(now_ns() - start) / 1e9);
  const int done = ::open("/bench/done.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (::write(done, text, static_cast<std::size_t>(size)) != size) return 1;
  ::rename("/bench/done.new", "/bench/done");
  // As a container's first process it gets no signal that it has no handler for, but for SIGKILL.
  while (true) ::pause();
}
