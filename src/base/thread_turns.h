// How soon a thread runs that has something to do.
#pragma once

namespace tidemark {

/// Has the calling thread, and those that it starts from now on, run in short turns: where more threads want
/// to run than there are processors, it is let run soon after it wakes up, and not when the turn of another
/// ends; and who wakes up while it runs does not wait for long. Its share of the processors stays what it is.
/// For threads that wait for something most of the time, and for those that others should not wait for.
/// Without effect on kernels before Linux 6.12, or where it is not allowed: nothing depends on it but
/// latency.
void RunInShortTurns();

/// Of what others get where more threads want to run than there are processors; a thread's niceness.
enum class Share : int { kThird = 5, kNinth = 10 };

/// Has the calling thread, and those that it starts from now on, get that share and no more. For work that
/// nobody waits for. It is not undone, and does nothing where the process gives way more than that already.
void GiveWay(Share share);

/// Whether the calling thread gives way to others of its process, or one that it was started from did.
bool GivesWay();

}  // namespace tidemark
