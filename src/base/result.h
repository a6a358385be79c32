// Macros that pass an error on; the types are in tidemark/error.h.
#pragma once

#include "tidemark/error.h"

#define TM_CONCAT_INNER(a, b) a##b
#define TM_CONCAT(a, b) TM_CONCAT_INNER(a, b)
// A name that no other use of these macros has, nested ones included.
#define TM_UNIQUE TM_CONCAT(tm_result_, __COUNTER__)

/// `TM_ASSIGN(auto x, F())`: x is F's value, or this function returns F's error.
#define TM_ASSIGN(lhs, expr) TM_ASSIGN_INNER(TM_UNIQUE, lhs, expr)
#define TM_ASSIGN_INNER(result, lhs, expr)             \
  auto result = (expr);                                \
  if (!result) [[unlikely]]                            \
    return std::unexpected(std::move(result).error()); \
  lhs = std::move(result).value()

/// `TM_TRY(F())`: go on if F succeeded, or return its error.
#define TM_TRY(expr) TM_TRY_INNER(TM_UNIQUE, expr)
#define TM_TRY_INNER(result, expr)                       \
  do {                                                   \
    auto result = (expr);                                \
    if (!result) [[unlikely]]                            \
      return std::unexpected(std::move(result).error()); \
  } while (false)

/// `TM_TRY_IN(F(), "view x")`: the same, and says where it happened.
#define TM_TRY_IN(expr, place) TM_TRY_IN_INNER(TM_UNIQUE, expr, place)
#define TM_TRY_IN_INNER(result, expr, place)                       \
  do {                                                             \
    auto result = (expr);                                          \
    if (!result) [[unlikely]]                                      \
      return std::unexpected(std::move(result).error().In(place)); \
  } while (false)
