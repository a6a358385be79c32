// Shows how an error of Tidemark reads: its code, where it happened, what was wrong.
#include <tidemark/error.h>

#include <iostream>
#include <utility>

int main() {
  tidemark::Error error{.code = tidemark::ErrorCode::kNotFound, .message = "no feature view `flights`"};
  const tidemark::Error seen = std::move(error).In("feature flights:delay");
  std::cout << tidemark::Describe(seen.code).name << ": " << seen.ToString() << "\n";
  return 0;
}
