// Turns of those who rewrite data files in one process: of a table, as all but one of its compactions would
// be in vain, and of memory, as each sorts as much as fits into one commit.
//
// Other processes take turns of their own: what two of them compact at once is found out by the commit, and
// done again.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>

#include "base/result.h"

namespace tidemark {

/// Thread safe. A child that is forked begins anew: it finds no turn taken, and its parent's are not its own.
class RewriteTurns {
  struct State;

 public:
  /// Ends with this object.
  class Turn {
   public:
    Turn(Turn&& other) noexcept;
    Turn& operator=(Turn&&) = delete;
    ~Turn();

   private:
    friend class RewriteTurns;
    Turn(State* state, std::string name) : state_(state), name_(std::move(name)) {}

    State* state_;  // null: moved from
    std::string name_;
  };

  RewriteTurns() = default;
  ~RewriteTurns();
  RewriteTurns(const RewriteTurns&) = delete;
  RewriteTurns& operator=(const RewriteTurns&) = delete;

  /// Those of this process.
  static RewriteTurns& OfProcess();

  /// Waits for the turn of that name; who came first has it first. kCancelled if it is asked to stop before.
  /// Who wants two takes that of the table first: the other way round they would wait for each other.
  Result<Turn> Take(const std::string& name, const std::stop_token& stop);
  /// That of memory, for one commit.
  Result<Turn> TakeMemory(const std::stop_token& stop) { return Take("", stop); }

  /// How many have a turn of that name or wait for it.
  std::size_t Count(const std::string& name);

 private:
  State& state();

  std::atomic<State*> state_{nullptr};  // made with the first turn; one of a parent is left as it is
};

}  // namespace tidemark
