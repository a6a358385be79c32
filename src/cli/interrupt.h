// Ctrl-C and termination: the first asks work to stop, the second ends the program.
#pragma once

#include <stop_token>

namespace tidemark::cli {

/// What a program that was ended by a signal exits with, less the signal's number, as shells have it.
inline constexpr int kExitOnSignal = 128;

/// Call first in main, before any thread is started.
void WatchInterrupts();

/// Stops when the user interrupts.
std::stop_token InterruptToken();

/// The signal that interrupted, or 0.
int InterruptSignal();

}  // namespace tidemark::cli
