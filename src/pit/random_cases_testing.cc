// Makes random cases and turns them into Arrow arrays.
#include "pit/random_cases_testing.h"

#include <arrow/api.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <variant>

#include "base/check.h"

namespace tidemark::pit_testing {
namespace {

constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kGreatest = std::numeric_limits<std::int64_t>::max();

std::size_t Below(std::mt19937_64& random, std::size_t limit) {
  return random() % limit;
}
bool OneIn(std::mt19937_64& random, std::size_t n) {
  return Below(random, n) == 0;
}

// Mostly one of a few moments; sometimes the ends of the range, where sums would overflow.
std::int64_t RandomTime(std::mt19937_64& random, std::int64_t range) {
  if (OneIn(random, 40)) return OneIn(random, 2) ? kLowest : kGreatest;
  if (OneIn(random, 40)) return OneIn(random, 2) ? kLowest + 1 : kGreatest - 1;
  return static_cast<std::int64_t>(Below(random, static_cast<std::size_t>(range))) - range / 3;
}

NaiveKey RandomKey(std::mt19937_64& random, const std::vector<ColumnKind>& columns, std::size_t range) {
  static const std::vector<std::string> kText{"",
                                              std::string(1, '\0'),
                                              "a",
                                              "ab",
                                              "b",
                                              std::string("a\0b", 3),
                                              "\xff",
                                              "a much longer key than fits into any small buffer",
                                              CollidingKey('x'),
                                              CollidingKey('y')};
  NaiveKey key;
  for (const ColumnKind column : columns) {
    if (column == ColumnKind::kInt64) {
      const bool at_end = OneIn(random, 30);
      key.emplace_back(at_end ? (OneIn(random, 2) ? kLowest : kGreatest)
                              : static_cast<std::int64_t>(Below(random, range)) - 2);
    } else if (column == ColumnKind::kBool) {
      key.emplace_back(OneIn(random, 2));
    } else {
      const bool collides = OneIn(random, 4);
      key.emplace_back(kText[collides ? kText.size() - 1 - Below(random, 2)
                                      : Below(random, std::min(range, kText.size()))]);
    }
  }
  return key;
}

std::vector<ColumnKind> RandomColumns(std::mt19937_64& random) {
  using enum ColumnKind;
  static const std::vector<std::vector<ColumnKind>> kChoices{
      {kInt64}, {kInt64},         {kBool},           {kBinary},          {kLargeBinary},
      {},       {kInt64, kInt64}, {kBinary, kInt64}, {kBinary, kBinary}, {kBool, kLargeBinary, kInt64}};
  return kChoices[Below(random, kChoices.size())];
}

template <typename Builder>
std::shared_ptr<arrow::Array> Finished(Builder& builder) {
  auto array = builder.Finish();
  TM_CHECK(array.ok(), "building a test's array");
  return *std::move(array);
}

// An array of `count` values, sliced out of a longer one so that its offset is not zero.
template <typename Builder, typename Value>
auto Sliced(std::size_t count, const Value& value) {
  Builder builder;
  TM_CHECK(builder.AppendEmptyValues(3).ok(), "building a test's array");
  for (std::size_t i = 0; i < count; ++i) {
    const auto one = value(i);
    if constexpr (std::is_same_v<std::decay_t<decltype(one)>, std::optional<std::int64_t>> ||
                  std::is_same_v<std::decay_t<decltype(one)>, std::optional<bool>>) {
      TM_CHECK((one ? builder.Append(*one) : builder.AppendNull()).ok(), "building a test's array");
    } else {
      TM_CHECK(builder.Append(one).ok(), "building a test's array");
    }
  }
  using Array = typename arrow::TypeTraits<typename Builder::TypeClass>::ArrayType;
  return std::static_pointer_cast<Array>(Finished(builder)->Slice(3));
}

std::string KeyToString(const NaiveKey& key) {
  std::string out = "(";
  for (const auto& part : key) {
    std::visit([&out](const auto& value) { out += fmt::format("{} ", value); }, part);
  }
  return out + ")";
}

}  // namespace

std::string CollidingKey(char tells_apart) {
  // XXH3 multiplies (bytes 0..8 xor a constant) with (bytes 8..16 xor another): zero, whatever bytes 8..16
  // are.
  return "\xb8\xfe\x6c\x39\x23\xa4\x4b\xbe" + std::string(8, tells_apart) + std::string(16, 'z');
}

std::uint64_t TestSeed(std::uint64_t otherwise) {
  const char* given = std::getenv("TIDEMARK_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
  fmt::print("TIDEMARK_TEST_SEED={}\n", seed);
  return seed;
}

std::size_t TestCases(std::size_t otherwise) {
  const char* given = std::getenv("TIDEMARK_TEST_CASES");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

RandomCase MakeRandomCase(std::mt19937_64& random) {
  RandomCase out;
  out.columns = RandomColumns(random);
  out.has_created = !OneIn(random, 3);
  out.has_sequence = OneIn(random, 4);
  out.has_state = OneIn(random, 4);
  out.threads = 1 + Below(random, 3);
  // Mostly tiny; now and then more rows than one block of the kernel, on one key or on many.
  const bool large = OneIn(random, 50);
  const std::size_t entities = Below(random, large ? 700 : 12);
  const std::size_t rows = Below(random, large ? 900 : 25);
  const std::size_t keys = large && OneIn(random, 2) ? 400 : 1 + Below(random, 6);
  const auto range = static_cast<std::int64_t>(large ? 200 : 3 + Below(random, 15));
  for (std::size_t i = 0; i < entities; ++i) {
    out.entities.push_back({RandomKey(random, out.columns, keys), RandomTime(random, range)});
  }
  const RowLocation first = OneIn(random, 20) ? (RowLocation{1} << 63) - 1 - rows : Below(random, 1000);
  for (std::size_t i = 0; i < rows; ++i) {
    NaiveFeatureRow row;
    row.key = RandomKey(random, out.columns, keys);
    row.event_us = RandomTime(random, range);
    if (out.has_created) row.created_us = RandomTime(random, range);
    if (out.has_sequence) {
      // No two rows of one table are equal in the whole order: the origin tells them apart.
      row.sequence = RandomTime(random, 4);
      row.origin = static_cast<std::uint32_t>(i * 2654435761U);
    }
    if (out.has_state) {
      row.is_deleted = OneIn(random, 4);
      if (OneIn(random, 3)) row.expires_at_us = RandomTime(random, range);
    }
    row.location = first + i;
    out.rows.push_back(std::move(row));
  }
  out.options.has_sequence = out.has_sequence;
  if (out.has_created && OneIn(random, 2)) {
    out.options.known_by.kind = OneIn(random, 2) ? KnownBy::Kind::kTime : KnownBy::Kind::kEntityRow;
    out.options.known_by.time_us = RandomTime(random, range);
  }
  if (OneIn(random, 2))
    out.options.ttl_us = OneIn(random, 20) ? kGreatest : 1 + static_cast<std::int64_t>(Below(random, 8));
  out.start_us = OneIn(random, 2) ? kLowest : RandomTime(random, range);
  out.end_us = OneIn(random, 2) ? kGreatest : RandomTime(random, range);
  return out;
}

arrow::ArrayVector KeyColumns(const std::vector<ColumnKind>& columns, const std::vector<NaiveKey>& keys) {
  arrow::ArrayVector out;
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const auto text = [&](std::size_t i) { return std::get<std::string>(keys[i][c]); };
    switch (columns[c]) {
      case ColumnKind::kInt64:
        out.push_back(
            Sliced<arrow::Int64Builder>(keys.size(), [&](std::size_t i) { return std::get<0>(keys[i][c]); }));
        break;
      case ColumnKind::kBool:
        out.push_back(Sliced<arrow::BooleanBuilder>(keys.size(),
                                                    [&](std::size_t i) { return std::get<1>(keys[i][c]); }));
        break;
      case ColumnKind::kBinary:
        out.push_back(Sliced<arrow::BinaryBuilder>(keys.size(), text));
        break;
      case ColumnKind::kLargeBinary:
        out.push_back(Sliced<arrow::LargeBinaryBuilder>(keys.size(), text));
        break;
    }
  }
  return out;
}

std::shared_ptr<arrow::Int64Array> Times(const std::vector<std::int64_t>& times_us) {
  return Sliced<arrow::Int64Builder>(times_us.size(), [&](std::size_t i) { return times_us[i]; });
}

FeatureRows ToFeatureRows(const RandomCase& of, std::size_t begin, std::size_t end) {
  const std::size_t count = end - begin;
  const auto row = [&](std::size_t i) -> const NaiveFeatureRow& { return of.rows[begin + i]; };
  std::vector<NaiveKey> keys;
  for (std::size_t i = 0; i < count; ++i)
    keys.push_back(row(i).key);
  FeatureRows out;
  out.keys = KeyColumns(of.columns, keys);
  out.event = Sliced<arrow::Int64Builder>(count, [&](std::size_t i) { return row(i).event_us; });
  if (of.has_created)
    out.created = Sliced<arrow::Int64Builder>(count, [&](std::size_t i) { return row(i).created_us; });
  if (of.has_sequence) {
    out.sequence = Sliced<arrow::Int64Builder>(count, [&](std::size_t i) { return row(i).sequence; });
    out.origin = Sliced<arrow::UInt32Builder>(count, [&](std::size_t i) { return row(i).origin; });
  }
  // Columns of state may be absent from batches in which no row has any.
  const bool any_state =
      std::any_of(of.rows.begin() + static_cast<std::ptrdiff_t>(begin),
                  of.rows.begin() + static_cast<std::ptrdiff_t>(end),
                  [](const NaiveFeatureRow& r) { return r.is_deleted || r.expires_at_us; });
  if (any_state) {
    out.is_deleted = Sliced<arrow::BooleanBuilder>(count, [&](std::size_t i) {
      return row(i).is_deleted ? std::optional<bool>(true)
             : i % 2 == 0      ? std::optional<bool>(false)
                               : std::nullopt;
    });
    out.expires_at = Sliced<arrow::Int64Builder>(count, [&](std::size_t i) { return row(i).expires_at_us; });
  }
  out.first_location = count == 0 ? 0 : row(0).location;
  return out;
}

std::vector<std::pair<std::size_t, std::size_t>> RandomBatches(std::mt19937_64& random, std::size_t rows) {
  std::vector<std::pair<std::size_t, std::size_t>> out;
  for (std::size_t begin = 0; begin < rows;) {
    const std::size_t size = 1 + Below(random, OneIn(random, 3) ? rows : 8);
    const std::size_t end = std::min(rows, begin + size);
    out.emplace_back(begin, end);
    begin = end;
  }
  std::shuffle(out.begin(), out.end(), random);
  return out;
}

std::string RandomCase::ToString() const {
  std::string out = fmt::format("known_by {} at {}, ttl {}, threads {}, window [{}, {}]\n",
                                static_cast<int>(options.known_by.kind), options.known_by.time_us,
                                options.ttl_us, threads, start_us, end_us);
  for (const auto& entity : entities)
    out += fmt::format("  entity {} at {}\n", KeyToString(entity.key), entity.time_us);
  for (const auto& row : rows) {
    out += fmt::format("  row {} {} event {} created {} sequence {} origin {} deleted {} expires {}\n",
                       row.location, KeyToString(row.key), row.event_us, row.created_us, row.sequence,
                       row.origin, row.is_deleted,
                       row.expires_at_us ? std::to_string(*row.expires_at_us) : "never");
  }
  return out;
}

}  // namespace tidemark::pit_testing
