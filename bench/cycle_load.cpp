// Whole lives of containers: create, start, wait, remove, by W workers side by side, each on its own connection.
//
//     cycle_load --target SOCKET --body FILE --workers W --count N
//
// FILE is the JSON of create. Prints {"p50_ms", "p99_ms", "per_second", and the p50 of each step}; N is for each
// worker.
#include <cstdio>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "bench/client.hpp"

namespace {

constexpr int kSteps = 4;

struct Times {
  std::mutex mutex;
  std::vector<double> whole_ms;         // guarded by mutex
  std::vector<double> step_ms[kSteps];  // guarded by mutex
};

std::string id_in(const std::string& body) {
  const std::size_t key = body.find("\"Id\"");
  const std::size_t begin = body.find('"', body.find(':', key)) + 1;
  return body.substr(begin, body.find('"', begin) - begin);
}

std::string must(bench::Client& client, const std::string& request) {
  const bench::Client::Answer answer = client.call(request);
  if (answer.status >= 300) bench::fail(std::to_string(answer.status) + ": " + answer.body);
  return answer.body;
}

void live_and_die(bench::Client& client, const std::string& body, Times& times) {
  std::int64_t moments[kSteps + 1] = {bench::now_ns()};
  const std::string id = id_in(must(client, bench::request("POST", "/v1.41/containers/create", body)));
  const std::string path = "/v1.41/containers/" + id;
  moments[1] = bench::now_ns();
  must(client, bench::request("POST", path + "/start", ""));
  moments[2] = bench::now_ns();
  must(client, bench::request("POST", path + "/wait", ""));
  moments[3] = bench::now_ns();
  must(client, bench::request("DELETE", path, ""));
  moments[4] = bench::now_ns();
  const std::lock_guard lock(times.mutex);
  times.whole_ms.push_back(static_cast<double>(moments[kSteps] - moments[0]) / 1e6);
  for (int step = 0; step < kSteps; ++step) {
    times.step_ms[step].push_back(static_cast<double>(moments[step + 1] - moments[step]) / 1e6);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Arguments arguments(argc, argv);
  std::ostringstream body;
  body << std::ifstream(arguments.text("body")).rdbuf();
  Times times;
  std::vector<std::thread> workers;
  const std::int64_t start = bench::now_ns();
  for (long worker = 0; worker < arguments.number("workers", 1); ++worker) {
    workers.emplace_back([&] {
      bench::Client client(arguments.text("target"));
      for (long i = 0; i < arguments.number("count", 10); ++i) live_and_die(client, body.str(), times);
    });
  }
  for (std::thread& worker : workers) worker.join();
  const double seconds = static_cast<double>(bench::now_ns() - start) / 1e9;
  const bench::Percentiles whole = bench::percentiles(times.whole_ms);
  std::printf("{\"p50_ms\": %.2f, \"p99_ms\": %.2f, \"per_second\": %.2f", whole.p50, whole.p99,
              static_cast<double>(times.whole_ms.size()) / seconds);
  constexpr const char* kNames[kSteps] = {"create", "start", "wait", "remove"};
  for (int step = 0; step < kSteps; ++step) {
    std::printf(", \"%s_ms\": %.2f", kNames[step], bench::percentiles(times.step_ms[step]).p50);
  }
  std::printf("}\n");
}
