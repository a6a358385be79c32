// sched_setattr(2), which glibc does not know yet, and setpriority(2), which is of one thread in Linux.
#include "base/thread_turns.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <tuple>

namespace tidemark {
namespace {

constexpr std::uint64_t kTurnNs = 100'000;  // the shortest that the kernel takes

int NiceOf(pid_t thread) {
  return getpriority(PRIO_PROCESS, static_cast<id_t>(thread));
}

int NiceOfThisThread() {
  return NiceOf(gettid());
}

/// As the kernel has it; its later fields are not needed.
struct SchedulingAttributes {
  std::uint32_t size;
  std::uint32_t policy;
  std::uint64_t flags;
  std::int32_t nice;
  std::uint32_t priority;
  std::uint64_t runtime;  // of threads without a deadline: their turn, in nanoseconds
  std::uint64_t deadline;
  std::uint64_t period;
};

}  // namespace

void RunInShortTurns() {
  if (sched_getscheduler(0) != SCHED_OTHER) return;  // somebody has decided otherwise
  SchedulingAttributes attributes{};
  attributes.size = sizeof(attributes);
  attributes.policy = SCHED_OTHER;
  attributes.nice = NiceOfThisThread();
  attributes.runtime = kTurnNs;
  std::ignore = syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// That it cannot be so is no reason not to do the work.
void GiveWay(Share share) {
  const int nice = static_cast<int>(share);
  if (NiceOfThisThread() < nice) std::ignore = setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), nice);
}

bool GivesWay() {
  return NiceOfThisThread() > NiceOf(getpid());
}

}  // namespace tidemark
