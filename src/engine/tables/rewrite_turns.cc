// A queue for each name, whose first has the turn.
#include "engine/tables/rewrite_turns.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include "base/lock_file.h"

namespace tidemark {

struct RewriteTurns::State {
  const std::uint64_t forks = ForkCount();  // another count: it is a parent's, with threads that are not here
  std::mutex mutex;                         // guards those below
  std::condition_variable_any changed;
  std::map<std::string, std::deque<std::uint64_t>> queues;  // of tickets; none is empty
  std::uint64_t tickets = 0;

  void Leave(const std::string& name, std::uint64_t ticket) {
    const auto queue = queues.find(name);
    std::erase(queue->second, ticket);
    if (queue->second.empty()) queues.erase(queue);
    changed.notify_all();
  }
};

RewriteTurns::Turn::Turn(Turn&& other) noexcept
    : state_(std::exchange(other.state_, nullptr)), name_(std::move(other.name_)) {}

RewriteTurns::Turn::~Turn() {
  if (state_ == nullptr || state_->forks != ForkCount()) return;
  const std::lock_guard lock(state_->mutex);
  state_->Leave(name_, state_->queues.at(name_).front());
}

RewriteTurns::~RewriteTurns() {
  State* const state = state_.load();
  if (state != nullptr && state->forks == ForkCount()) delete state;
}

RewriteTurns& RewriteTurns::OfProcess() {
  static auto* const turns =
      new RewriteTurns;  // never destroyed: stores may be closed while the process ends
  return *turns;
}

RewriteTurns::State& RewriteTurns::state() {
  State* known = state_.load();
  while (known == nullptr || known->forks != ForkCount()) {
    auto made = std::make_unique<State>();
    if (state_.compare_exchange_strong(known, made.get())) return *made.release();
  }
  return *known;
}

Result<RewriteTurns::Turn> RewriteTurns::Take(const std::string& name, const std::stop_token& stop) {
  State& all = state();
  std::unique_lock lock(all.mutex);
  const std::uint64_t ticket = ++all.tickets;
  all.queues[name].push_back(ticket);
  if (!all.changed.wait(lock, stop, [&] { return all.queues.at(name).front() == ticket; })) {
    all.Leave(name, ticket);
    return Fail(ErrorCode::kCancelled, "interrupted");
  }
  return Turn(&all, name);
}

std::size_t RewriteTurns::Count(const std::string& name) {
  State& all = state();
  const std::lock_guard lock(all.mutex);
  const auto queue = all.queues.find(name);
  return queue == all.queues.end() ? 0 : queue->second.size();
}

}  // namespace tidemark
