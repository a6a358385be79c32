// Macros that pass an error on; the types are in tidemark/error.h.
#pragma once

#include "tidemark/error.h"

#define TM_CONCAT_INNER(a, b) a##b
#define TM_CONCAT(a, b) TM_CONCAT_INNER(a, b)

/// `TM_ASSIGN(auto x, F())`: x is F's value, or this function returns F's error.
#define TM_ASSIGN(lhs, expr) TM_ASSIGN_INNER(TM_CONCAT(tm_result_, __LINE__), lhs, expr)
#define TM_ASSIGN_INNER(tmp, lhs, expr)                         \
  auto tmp = (expr);                                            \
  if (!tmp) [[unlikely]]                                        \
    return std::unexpected(std::move(tmp).error());             \
  lhs = std::move(tmp).value()

/// `TM_TRY(F())`: go on if F succeeded, or return its error.
#define TM_TRY(expr)                                            \
  do {                                                          \
    auto tm_try_result = (expr);                                \
    if (!tm_try_result) [[unlikely]]                            \
      return std::unexpected(std::move(tm_try_result).error()); \
  } while (false)

/// `TM_TRY_IN(F(), "view x")`: the same, and says where it happened.
#define TM_TRY_IN(expr, place)                                                            \
  do {                                                                                    \
    auto tm_try_result = (expr);                                                          \
    if (!tm_try_result) [[unlikely]]                                                      \
      return std::unexpected(std::move(tm_try_result).error().In(place));                 \
  } while (false)
