// One pass over the rows for each key; a value of another kind is refused with its row and key.
#include "key_columns.h"

#include <fmt/format.h>
#include <nanobind/stl/string.h>

#include <limits>

#include "errors.h"
#include "python_time.h"

namespace nb = nanobind;

namespace tidemark::python {
namespace {

KeyForm FormOf(const std::string& type) {
  if (type == "int32") return KeyForm::kInt32;
  if (type == "int64") return KeyForm::kInt64;
  if (type == "string") return KeyForm::kText;
  if (type == "binary") return KeyForm::kBytes;
  if (type == "bool") return KeyForm::kBool;
  if (type == "timestamp") return KeyForm::kTimestamp;
  Raise(ErrorCode::kInternal, "a join key cannot be of type " + type);
}

/// A scalar of another library (numpy, for example) as the plain Python value that it holds.
nb::object Plain(nb::handle value) {
  if (!nb::hasattr(value, "item")) return nb::borrow(value);
  return value.attr("item")();
}

[[noreturn]] void RaiseMismatch(const KeySpec& spec, nb::handle value, std::size_t row) {
  const std::string where = fmt::format("entity row {}", row);
  if (value.is_none()) {
    Raise(ErrorCode::kInvalidData,
          fmt::format("join key {} is null: every entity row needs a value", spec.name.c_str()), where);
  }
  Raise(
      ErrorCode::kTypeMismatch,
      fmt::format("join key {} is of type {}, and {} ({}) is not", spec.name.c_str(), spec.type,
                  nb::repr(value).c_str(), nb::cast<std::string>(nb::handle(value).type().attr("__name__"))),
      where);
}

/// The integer that `value` is, or nothing: bools and floats are no integers.
std::optional<std::int64_t> IntegerFrom(nb::handle value, KeyForm form) {
  if (!PyLong_Check(value.ptr()) || PyBool_Check(value.ptr())) return {};
  int overflow = 0;
  const std::int64_t made = PyLong_AsLongLongAndOverflow(value.ptr(), &overflow);
  if (overflow != 0) return {};
  if (form == KeyForm::kInt32 &&
      (made < std::numeric_limits<std::int32_t>::min() || made > std::numeric_limits<std::int32_t>::max())) {
    return {};
  }
  return made;
}

std::optional<std::string_view> TextFrom(nb::handle value) {
  if (!PyUnicode_Check(value.ptr())) return {};
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(value.ptr(), &size);
  if (text == nullptr) {  // a lone surrogate, which no text in UTF-8 has
    PyErr_Clear();
    return {};
  }
  return std::string_view(text, static_cast<std::size_t>(size));
}

std::optional<std::string_view> BytesFrom(nb::handle value) {
  if (!PyBytes_Check(value.ptr())) return {};
  return std::string_view(PyBytes_AS_STRING(value.ptr()),
                          static_cast<std::size_t>(PyBytes_GET_SIZE(value.ptr())));
}

std::optional<bool> BoolFrom(nb::handle value) {
  if (!PyBool_Check(value.ptr())) return {};
  return value.ptr() == Py_True;
}

/// Converts every value; one that does not fit is tried again as the plain value it may wrap, which then
/// takes its place in `values` (so that what the conversion points into stays alive).
template <typename Out, typename From>
void ConvertAll(const KeySpec& spec, const nb::list& values, Out& out, const From& from) {
  const std::size_t rows = nb::len(values);
  for (std::size_t row = 0; row < rows; ++row) {
    PyObject* const value = PyList_GET_ITEM(values.ptr(), static_cast<Py_ssize_t>(row));
    auto made = from(nb::handle(value));
    if (!made) [[unlikely]] {
      nb::object plain = Plain(nb::handle(value));
      made = from(nb::handle(plain));
      if (!made) RaiseMismatch(spec, nb::handle(value), row);
      PyList_SetItem(values.ptr(), static_cast<Py_ssize_t>(row), plain.release().ptr());
    }
    out[row] = *made;
  }
}

}  // namespace

std::vector<KeySpec> KeySpecs(const OnlineReader& reader) {
  std::vector<KeySpec> specs;
  for (const ColumnInfo& key : reader.keys()) {
    specs.push_back({nb::str(key.name.data(), key.name.size()), key.type, FormOf(key.type)});
  }
  return specs;
}

KeyColumns::KeyColumns(const std::vector<KeySpec>& specs, nb::handle entity_rows) {
  if (PyDict_Check(entity_rows.ptr())) {
    TakeColumns(specs, entity_rows);
  } else if (PyList_Check(entity_rows.ptr())) {
    TakeRows(specs, entity_rows);
  } else {
    Raise(ErrorCode::kInvalidArgument, "entity_rows is a list of dicts or a dict of lists");
  }
  for (std::size_t i = 0; i < specs.size(); ++i)
    Convert(specs[i], values_[i]);
}

void KeyColumns::TakeRows(const std::vector<KeySpec>& specs, nb::handle rows) {
  rows_ = nb::len(rows);
  for (std::size_t row = 0; row < rows_; ++row) {
    if (PyDict_Check(PyList_GET_ITEM(rows.ptr(), static_cast<Py_ssize_t>(row)))) continue;
    Raise(ErrorCode::kInvalidArgument, "an entity row is a dict, such as {\"driver_id\": 1001}",
          fmt::format("entity row {}", row));
  }
  for (const KeySpec& spec : specs) {
    const nb::list values = nb::steal<nb::list>(PyList_New(static_cast<Py_ssize_t>(rows_)));
    for (std::size_t row = 0; row < rows_; ++row) {
      PyObject* const dict = PyList_GET_ITEM(rows.ptr(), static_cast<Py_ssize_t>(row));
      PyObject* const value = PyDict_GetItemWithError(dict, spec.name.ptr());
      if (value == nullptr) {
        if (PyErr_Occurred() != nullptr) throw nb::python_error();
        Raise(ErrorCode::kNotFound,
              fmt::format("there is no join key {}; there is: {}", spec.name.c_str(),
                          nb::cast<std::string>(nb::str(", ").attr("join")(nb::handle(dict)))),
              fmt::format("entity row {}", row));
      }
      Py_INCREF(value);
      PyList_SET_ITEM(values.ptr(), static_cast<Py_ssize_t>(row), value);
    }
    values_.push_back(values);
  }
}

void KeyColumns::TakeColumns(const std::vector<KeySpec>& specs, nb::handle columns) {
  bool first = true;
  // All columns count, so that a view without entities answers as many rows as were given.
  for (const auto& [name, column] : nb::borrow<nb::dict>(columns)) {
    if (nb::isinstance<nb::str>(column) || nb::isinstance<nb::bytes>(column) ||
        !nb::hasattr(column, "__len__")) {
      Raise(ErrorCode::kInvalidArgument,
            fmt::format("column {} of the entity rows is not a list: give one value for each entity",
                        nb::str(name).c_str()));
    }
    const std::size_t length = nb::len(column);
    if (!first && length != rows_) {
      Raise(ErrorCode::kInvalidArgument,
            fmt::format("column {} of the entity rows has {} values, others have {}", nb::str(name).c_str(),
                        length, rows_));
    }
    rows_ = length;
    first = false;
  }
  for (const KeySpec& spec : specs) {
    PyObject* const column = PyDict_GetItemWithError(columns.ptr(), spec.name.ptr());
    if (column == nullptr) {
      if (PyErr_Occurred() != nullptr) throw nb::python_error();
      Raise(ErrorCode::kNotFound,
            fmt::format("there is no join key {}; there is: {}", spec.name.c_str(),
                        nb::cast<std::string>(nb::str(", ").attr("join")(columns))),
            "entity rows");
    }
    values_.push_back(nb::list(nb::handle(column)));
  }
}

void KeyColumns::Convert(const KeySpec& spec, const nb::list& values) {
  const std::size_t rows = nb::len(values);
  switch (spec.form) {
    case KeyForm::kInt32:
    case KeyForm::kInt64: {
      auto& out = integers_.emplace_back(rows);
      ConvertAll(spec, values, out, [&spec](nb::handle value) { return IntegerFrom(value, spec.form); });
      columns_.emplace_back(std::span<const std::int64_t>(out));
      return;
    }
    case KeyForm::kTimestamp: {
      auto& out = integers_.emplace_back(rows);
      ConvertAll(spec, values, out, MicrosFrom);
      columns_.emplace_back(std::span<const std::int64_t>(out));
      return;
    }
    case KeyForm::kText:
    case KeyForm::kBytes: {
      auto& out = texts_.emplace_back(rows);
      ConvertAll(spec, values, out, spec.form == KeyForm::kText ? TextFrom : BytesFrom);
      columns_.emplace_back(std::span<const std::string_view>(out));
      return;
    }
    case KeyForm::kBool: {
      auto& out = bools_.emplace_back(std::make_unique<bool[]>(rows));
      ConvertAll(spec, values, out, BoolFrom);
      columns_.emplace_back(std::span<const bool>(out.get(), rows));
      return;
    }
  }
}

}  // namespace tidemark::python
