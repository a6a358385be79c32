// Entity rows in Python as the key columns of an online lookup.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "tidemark/online.h"

namespace tidemark::python {

/// How Python gives the values of a key of some type.
enum class KeyForm : std::uint8_t { kInt32, kInt64, kText, kBytes, kBool, kTimestamp };

/// A join key as the reader wants it, with its name ready for looking up in dicts.
struct KeySpec {
  nanobind::str name;
  std::string type;
  KeyForm form;
};

std::vector<KeySpec> KeySpecs(const OnlineReader& reader);

/// The key columns of some entity rows. Text is not copied: the Python values are held meanwhile.
class KeyColumns {
 public:
  /// `entity_rows` is a list of dicts or a dict of lists. Raises what is wrong with them: a key that a row
  /// lacks, a null, a value that is not of the key's type, lists of different lengths.
  KeyColumns(const std::vector<KeySpec>& specs, nanobind::handle entity_rows);

  std::size_t rows() const { return rows_; }
  const std::vector<KeyColumn>& columns() const { return columns_; }
  /// The values as they were given, one list for each key.
  const std::vector<nanobind::list>& values() const { return values_; }

 private:
  void TakeRows(const std::vector<KeySpec>& specs, nanobind::handle rows);
  void TakeColumns(const std::vector<KeySpec>& specs, nanobind::handle columns);
  void Convert(const KeySpec& spec, const nanobind::list& values);

  std::size_t rows_ = 0;
  std::vector<nanobind::list> values_;
  std::vector<KeyColumn> columns_;
  std::deque<std::vector<std::int64_t>> integers_;
  std::deque<std::vector<std::string_view>> texts_;
  std::deque<std::unique_ptr<bool[]>> bools_;
};

}  // namespace tidemark::python
