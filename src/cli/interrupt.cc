// Signals are blocked everywhere and taken by one thread, so that they are handled by ordinary code.
#include "cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace tidemark::cli {
namespace {

std::atomic<int>& Received() {
  static std::atomic<int> received{0};
  return received;
}

std::stop_source& Source() {
  static std::stop_source source;
  return source;
}

}  // namespace

void WatchInterrupts() {
  sigset_t watched;
  sigemptyset(&watched);
  sigaddset(&watched, SIGINT);
  sigaddset(&watched, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &watched, nullptr);
  // Writing to a closed pipe is then an error of that write, which ends the output quietly.
  signal(SIGPIPE, SIG_IGN);
  // So is writing beyond the size that files may have (ulimit -f): for us, a disk that is full.
  signal(SIGXFSZ, SIG_IGN);
  Received();
  Source();
  std::thread([watched] {
    while (true) {
      int number = 0;
      if (sigwait(&watched, &number) != 0) continue;
      if (Received().exchange(number) != 0) _exit(kExitOnSignal + number);
      Source().request_stop();
    }
  }).detach();
}

std::stop_token InterruptToken() {
  return Source().get_token();
}

int InterruptSignal() {
  return Received().load();
}

}  // namespace tidemark::cli
