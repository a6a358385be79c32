// The program `tidemark`.
#include "cli/program.h"

int main(int argc, char** argv) {
  return tidemark::cli::RunProgram(argc, argv);
}
