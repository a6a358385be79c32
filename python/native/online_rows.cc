// Values go from the engine's flat columns straight into Python lists; nested ones go by way of pyarrow.
#include "online_rows.h"

#include <fmt/format.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <optional>
#include <string_view>

#include "arrow_capsules.h"
#include "errors.h"
#include "interruptible.h"
#include "python_time.h"

namespace nb = nanobind;

namespace tidemark::python {
namespace {

constexpr std::size_t kPooledResultsMax = 8;
constexpr std::size_t kLongReadRows = 64;  // from here on the interpreter lock is worth giving up

nb::str Text(std::string_view text) {
  return nb::str(text.data(), text.size());
}

nb::list ListOf(std::size_t rows) {
  PyObject* made = PyList_New(static_cast<Py_ssize_t>(rows));
  if (made == nullptr) throw nb::python_error();
  return nb::steal<nb::list>(made);
}

void Set(nb::list& list, std::size_t row, nb::object value) {
  PyList_SET_ITEM(list.ptr(), static_cast<Py_ssize_t>(row), value.release().ptr());
}

nb::object Checked(PyObject* made) {
  if (made == nullptr) throw nb::python_error();
  return nb::steal(made);
}

/// The 16 bytes of a decimal128 as text: the digits with the point in their place.
std::string DecimalText(const std::byte* bytes, int scale) {
  __int128 value = 0;
  std::memcpy(&value, bytes, sizeof value);
  const bool negative = value < 0;
  // Negating the unsigned number is right for the smallest value too.
  auto magnitude = static_cast<unsigned __int128>(value);
  if (negative) magnitude = -magnitude;
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(magnitude % 10)));
    magnitude /= 10;
  } while (magnitude != 0);
  const auto places = static_cast<std::size_t>(scale);
  if (digits.size() <= places) digits.insert(0, places + 1 - digits.size(), '0');
  if (places > 0) digits.insert(digits.size() - places, ".");
  return (negative ? "-" : "") + digits;
}

/// The scale in "decimal(10, 2)".
int ScaleOf(const std::string& type) {
  const std::size_t comma = type.find(',');
  return comma == std::string::npos ? 0 : std::stoi(type.substr(comma + 1));
}

/// Fills `list` with `make(value)` where there is a value, None elsewhere.
template <typename T, typename Make>
void FillFixed(const OnlineResult& result, std::size_t column, nb::list& list, const Make& make) {
  const T* values = result.Fixed<T>(column);
  for (std::size_t row = 0; row < result.rows(); ++row) {
    Set(list, row, result.status(column, row) == Status::kPresent ? make(values[row]) : nb::none());
  }
}

template <typename Make>
void FillText(const OnlineResult& result, std::size_t column, nb::list& list, const Make& make) {
  for (std::size_t row = 0; row < result.rows(); ++row) {
    if (result.status(column, row) != Status::kPresent) {
      Set(list, row, nb::none());
      continue;
    }
    const std::string_view text = result.text(column, row);
    Set(list, row, Checked(make(text.data(), static_cast<Py_ssize_t>(text.size()))));
  }
}

struct DecimalBytes {
  std::byte bytes[16];
};

void FillDecimals(const OnlineResult& result, std::size_t column, const std::string& type, nb::list& list) {
  const nb::object decimal = nb::module_::import_("decimal").attr("Decimal");
  const int scale = ScaleOf(type);
  FillFixed<DecimalBytes>(result, column, list, [&](const DecimalBytes& value) -> nb::object {
    return decimal(DecimalText(value.bytes, scale));
  });
}

void FillByType(const OnlineResult& result, std::size_t column, const std::string& type, nb::list& list) {
  if (type == "int64") {
    FillFixed<std::int64_t>(result, column, list,
                            [](auto value) { return Checked(PyLong_FromLongLong(value)); });
  } else if (type == "float64") {
    FillFixed<double>(result, column, list, [](auto value) { return Checked(PyFloat_FromDouble(value)); });
  } else if (type == "float32") {
    FillFixed<float>(result, column, list,
                     [](auto value) { return Checked(PyFloat_FromDouble(static_cast<double>(value))); });
  } else if (type == "int32") {
    FillFixed<std::int32_t>(result, column, list, [](auto value) { return Checked(PyLong_FromLong(value)); });
  } else if (type == "bool") {
    FillFixed<std::uint8_t>(result, column, list, [](auto value) { return Checked(PyBool_FromLong(value)); });
  } else if (type == "timestamp") {
    FillFixed<std::int64_t>(result, column, list, DateTimeFrom);
  } else if (type == "date") {
    FillFixed<std::int32_t>(result, column, list, DateFrom);
  } else if (type == "string") {
    FillText(result, column, list,
             [](const char* text, Py_ssize_t size) { return PyUnicode_DecodeUTF8(text, size, "strict"); });
  } else if (type == "binary") {
    FillText(result, column, list, PyBytes_FromStringAndSize);
  } else if (type.starts_with("decimal(")) {
    FillDecimals(result, column, type, list);
  } else {
    Raise(ErrorCode::kInternal, "no Python values are known for type " + type);
  }
}

std::shared_ptr<ReaderNames> NamesOf(const OnlineReader& reader) {
  auto names = std::make_shared<ReaderNames>();
  names->keys = KeySpecs(reader);
  for (const ColumnInfo& feature : reader.features()) {
    names->features.push_back({Text(feature.name), Text(feature.name + "__status"),
                               Text(feature.name + "__event_timestamp"), feature.type});
  }
  return names;
}

std::vector<std::pair<std::string, std::string>> Pairs(const std::vector<ColumnInfo>& columns) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const ColumnInfo& column : columns)
    pairs.emplace_back(column.name, column.type);
  return pairs;
}

}  // namespace

std::unique_ptr<OnlineResult> ResultPool::Take() {
  const std::lock_guard lock(mutex_);
  if (free_.empty()) return std::make_unique<OnlineResult>();
  auto taken = std::move(free_.back());
  free_.pop_back();
  return taken;
}

void ResultPool::Return(std::unique_ptr<OnlineResult> result) {
  const std::lock_guard lock(mutex_);
  if (free_.size() < kPooledResultsMax) free_.push_back(std::move(result));
}

OnlineRows::OnlineRows(std::shared_ptr<ReaderNames> names, std::vector<nb::list> keys,
                       std::unique_ptr<OnlineResult> result)
    : names_(std::move(names)), keys_(std::move(keys)), result_(std::move(result)) {}

OnlineRows::~OnlineRows() {
  if (result_ != nullptr) names_->pool.Return(std::move(result_));
}

nb::list OnlineRows::Values(std::size_t column, nb::object& nested) const {
  if (result_->form(column) == ValueForm::kNested) {
    if (!nested.is_valid()) {
      nested = nb::module_::import_("pyarrow").attr("record_batch")(nb::cast(ToArrow(false, false)));
    }
    using namespace nb::literals;
    return nb::list(nested.attr("column")(column).attr("to_pylist")("maps_as_pydicts"_a = "strict"));
  }
  nb::list list = ListOf(result_->rows());
  FillByType(*result_, column, names_->features[column].type, list);
  return list;
}

nb::list OnlineRows::EventTimestamps(std::size_t column) const {
  nb::list list = ListOf(result_->rows());
  for (std::size_t row = 0; row < result_->rows(); ++row) {
    const bool found = result_->status(column, row) != Status::kNotFound;
    Set(list, row, found ? DateTimeFrom(result_->event_time_us(column, row)) : nb::none());
  }
  return list;
}

nb::list OnlineRows::StatusNames(std::size_t column) const {
  nb::list list = ListOf(result_->rows());
  nb::object names[4];
  for (std::size_t row = 0; row < result_->rows(); ++row) {
    const Status status = result_->status(column, row);
    nb::object& name = names[static_cast<std::size_t>(status)];
    if (!name.is_valid()) name = Text(StatusName(status));
    Set(list, row, name);
  }
  return list;
}

nb::dict OnlineRows::ToDict(bool event_timestamps, bool status) const {
  nb::dict made;
  nb::object nested;
  for (std::size_t i = 0; i < keys_.size(); ++i)
    made[names_->keys[i].name] = nb::list(nb::handle(keys_[i]));
  for (std::size_t column = 0; column < result_->columns(); ++column) {
    const FeatureNames& names = names_->features[column];
    made[names.value] = Values(column, nested);
    if (status) made[names.status] = StatusNames(column);
    if (event_timestamps) made[names.event_timestamp] = EventTimestamps(column);
  }
  return made;
}

ArrowBatch OnlineRows::ToArrow(bool event_timestamps, bool status) const {
  ArrowBatch batch;
  Unwrap(result_->ToArrow(status, event_timestamps, batch.schema(), batch.array()));
  return batch;
}

nb::dict OnlineRows::Statuses() const {
  nb::dict made;
  for (std::size_t column = 0; column < result_->columns(); ++column) {
    made[names_->features[column].value] = StatusNames(column);
  }
  return made;
}

nb::list OnlineRows::KeyValues() const {
  nb::list made;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    made.append(nb::make_tuple(names_->keys[i].name, names_->keys[i].type, keys_[i]));
  }
  return made;
}

PythonReader::PythonReader(std::shared_ptr<Store> store, std::shared_ptr<const OnlineReader> reader,
                           bool waits)
    : store_(std::move(store)), reader_(std::move(reader)), names_(NamesOf(*reader_)), waits_(waits) {}

OnlineRows PythonReader::Read(nb::handle entity_rows) const {
  const KeyColumns keys(names_->keys, entity_rows);
  auto result = names_->pool.Take();
  std::optional<TakenBatch> requests;
  if (!reader_->requests().empty()) {
    const nb::object batch = nb::module_::import_("tidemark.request_data").attr("batch");
    requests.emplace(batch(Pairs(reader_->requests()), entity_rows));
  }
  const auto read = [&] {
    if (!requests) return reader_->Read(keys.columns(), keys.rows(), *result);
    return reader_->ReadWith(keys.columns(), keys.rows(), requests->schema(), requests->array(), *result);
  };
  if (waits_ || keys.rows() >= kLongReadRows) {
    Unlocked(read);
  } else {
    Unwrap(read());
  }
  return {names_, keys.values(), std::move(result)};
}

bool PythonReader::IsCurrent(std::int64_t max_age_ms) const {
  return Unlocked([&] { return reader_->IsCurrent(max_age_ms); });
}

std::vector<std::pair<std::string, std::string>> PythonReader::Keys() const {
  return Pairs(reader_->keys());
}

std::vector<std::pair<std::string, std::string>> PythonReader::Requests() const {
  return Pairs(reader_->requests());
}

std::vector<std::pair<std::string, std::string>> PythonReader::Features() const {
  return Pairs(reader_->features());
}

}  // namespace tidemark::python
