// Durable appends: how many a second one writer and many make, and how long an acknowledgement takes, beside
// a bare append and fdatasync in the same folder. All three take turns, because disks have moods.
//
//   tidemark_wal_bench [folder] [rounds] [seconds of each turn]
//
// Prints one JSON object: of each contestant the rates, and the 50th and 99th percentiles, of every round.
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "adapters/wal/write_logs.h"
#include "base/check.h"

namespace tidemark {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kPayloadBytes = 200;
constexpr int kManyWriters = 32;

struct Turn {
  double rate = 0;  // a second
  double p50_us = 0;
  double p99_us = 0;
};

double MicrosecondsSince(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

Turn Summary(std::vector<double> latencies_us, double seconds) {
  TM_CHECK(!latencies_us.empty(), "a turn is too short to measure anything");
  std::ranges::sort(latencies_us);
  const auto at = [&](double share) {
    return latencies_us[static_cast<std::size_t>(share * static_cast<double>(latencies_us.size() - 1))];
  };
  return {.rate = static_cast<double>(latencies_us.size()) / seconds, .p50_us = at(0.5), .p99_us = at(0.99)};
}

// Appends by `writers` threads, each one after the other, until the time is over.
template <typename Append>
Turn Measure(int writers, double seconds, const Append& append) {
  std::vector<std::vector<double>> latencies_us(static_cast<std::size_t>(writers));
  const auto begin = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::vector<double>& own_us : latencies_us) {
      threads.emplace_back([&] {
        while (MicrosecondsSince(begin) < seconds * 1e6) {
          const auto before = Clock::now();
          append();
          own_us.push_back(MicrosecondsSince(before));
        }
      });
    }
  }
  const double took_s = MicrosecondsSince(begin) / 1e6;
  std::vector<double> all_us;
  for (const std::vector<double>& own_us : latencies_us)
    all_us.insert(all_us.end(), own_us.begin(), own_us.end());
  return Summary(std::move(all_us), took_s);
}

/// A contestant's turns.
struct Turns {
  std::string name;
  std::vector<double> rates{};
  std::vector<double> p50_us{};
  std::vector<double> p99_us{};

  void Add(const Turn& turn) {
    rates.push_back(turn.rate);
    p50_us.push_back(turn.p50_us);
    p99_us.push_back(turn.p99_us);
  }
  std::string Json() const {
    return fmt::format("\"{}\": {{\"rates\": [{:.1f}], \"p50_us\": [{:.1f}], \"p99_us\": [{:.1f}]}}", name,
                       fmt::join(rates, ", "), fmt::join(p50_us, ", "), fmt::join(p99_us, ", "));
  }
};

int Run(const std::string& folder, int rounds, double seconds) {
  std::filesystem::create_directories(folder);
  const std::vector<std::byte> payload(kPayloadBytes, std::byte{7});
  const std::string bare_path = folder + "/bare";
  const int bare = ::open(bare_path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  TM_CHECK(bare >= 0, "the folder cannot be written to");
  const auto logs = OpenWriteLogs({.folder = folder + "/log"});
  auto log = logs->Create(nullptr);
  TM_CHECK(log.has_value(), "the log cannot be made");
  const auto append = [&] {
    const LogRecord record{.targets = kLogToOffline, .table_id = 1, .payload = payload};
    TM_CHECK((*log)->Append(record, nullptr).has_value(), "an append failed");
  };
  const auto append_bare = [&] {
    TM_CHECK(::write(bare, payload.data(), payload.size()) == static_cast<ssize_t>(payload.size()), "write");
    TM_CHECK(::fdatasync(bare) == 0, "fdatasync");
  };
  Turns of_bare{"bare"};
  Turns of_one{"one"};
  Turns of_many{"many"};
  for (int round = 0; round < rounds; ++round) {
    of_bare.Add(Measure(1, seconds, append_bare));
    of_one.Add(Measure(1, seconds, append));
    of_many.Add(Measure(kManyWriters, seconds, append));
  }
  fmt::print("{{{}, {}, {}}}\n", of_bare.Json(), of_one.Json(), of_many.Json());
  TM_CHECK((*log)->Trim({.log = (*log)->id(), .lsn = (*log)->durable_lsn()}).has_value(), "trim");
  ::close(bare);
  std::filesystem::remove(bare_path);
  return 0;
}

}  // namespace
}  // namespace tidemark

int main(int argc, char** argv) {
  const std::span<char*> arguments(argv, static_cast<std::size_t>(argc));
  const std::string folder = argc > 1 ? arguments[1] : "wal_bench";
  const int rounds = argc > 2 ? std::atoi(arguments[2]) : 5;
  const double seconds = argc > 3 ? std::atof(arguments[3]) : 2;
  return tidemark::Run(folder, rounds, seconds);
}
