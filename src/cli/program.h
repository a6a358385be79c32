// The command line program, from arguments to exit code.
#pragma once

namespace tidemark::cli {

/// Runs one command. 0, or the exit code of its error (the table in tidemark/error.h), or 2 for bad usage;
/// errors go to stderr.
int RunProgram(int argc, char** argv);

}  // namespace tidemark::cli
