// TM_CHECK: an invariant of our own that is always checked; when broken the process stops with a message.
#pragma once

#include <cstdio>
#include <cstdlib>

#define TM_CHECK(condition, message)                                                                       \
  do {                                                                                                     \
    if (!(condition)) [[unlikely]] {                                                                       \
      std::fprintf(stderr, "%s:%d: broken invariant (%s): %s\n", __FILE__, __LINE__, #condition, message); \
      std::abort();                                                                                        \
    }                                                                                                      \
  } while (false)
