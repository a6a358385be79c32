// The calendar arithmetic is the standard library's.
#include "python_time.h"

#include <datetime.h>
#include <fmt/format.h>

#include <chrono>

#include "errors.h"

namespace nb = nanobind;

namespace tidemark::python {
namespace {

using std::chrono::days;
using std::chrono::microseconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

year_month_day CalendarDay(std::int64_t day) {
  // 0001-01-01 and 9999-12-31: Python's own limits.
  if (day < -719'162 || day > 2'932'896) {
    Raise(ErrorCode::kInvalidData,
          fmt::format("a point in time {} days from 1970 is beyond Python's datetime: use to_arrow()", day));
  }
  return year_month_day(sys_days(days(day)));
}

std::int64_t MicrosOfDelta(PyObject* delta) {
  return PyDateTime_DELTA_GET_DAYS(delta) * kMicrosPerDay +
         PyDateTime_DELTA_GET_SECONDS(delta) * kMicrosPerSecond + PyDateTime_DELTA_GET_MICROSECONDS(delta);
}

}  // namespace

void LoadDateTime() {
  PyDateTime_IMPORT;
  if (PyDateTimeAPI == nullptr) throw nb::python_error();
}

std::optional<std::int64_t> MicrosFrom(nb::handle value) {
  PyObject* const moment = value.ptr();
  if (!PyDateTime_Check(moment)) return {};
  const auto day = sys_days(std::chrono::year(PyDateTime_GET_YEAR(moment)) /
                            static_cast<unsigned>(PyDateTime_GET_MONTH(moment)) /
                            static_cast<unsigned>(PyDateTime_GET_DAY(moment)));
  const std::int64_t seconds = PyDateTime_DATE_GET_HOUR(moment) * 3600 +
                               PyDateTime_DATE_GET_MINUTE(moment) * 60 + PyDateTime_DATE_GET_SECOND(moment);
  const std::int64_t us = day.time_since_epoch().count() * kMicrosPerDay + seconds * kMicrosPerSecond +
                          PyDateTime_DATE_GET_MICROSECOND(moment);
  PyObject* const zone = PyDateTime_DATE_GET_TZINFO(moment);
  if (zone == Py_None || zone == PyDateTime_TimeZone_UTC) return us;
  const nb::object offset = value.attr("utcoffset")();
  return offset.is_none() ? us : us - MicrosOfDelta(offset.ptr());
}

nb::object DateTimeFrom(std::int64_t us) {
  const std::int64_t day = us / kMicrosPerDay - (us % kMicrosPerDay < 0 ? 1 : 0);
  const auto rest = us - day * kMicrosPerDay;
  const year_month_day date = CalendarDay(day);
  const int seconds = static_cast<int>(rest / kMicrosPerSecond);
  PyObject* made = PyDateTimeAPI->DateTime_FromDateAndTime(
      static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
      static_cast<int>(static_cast<unsigned>(date.day())), seconds / 3600, seconds / 60 % 60, seconds % 60,
      static_cast<int>(rest % kMicrosPerSecond), PyDateTime_TimeZone_UTC, PyDateTimeAPI->DateTimeType);
  if (made == nullptr) throw nb::python_error();
  return nb::steal(made);
}

nb::object DateFrom(std::int32_t days_since_1970) {
  const year_month_day date = CalendarDay(days_since_1970);
  PyObject* made =
      PyDate_FromDate(static_cast<int>(date.year()), static_cast<int>(static_cast<unsigned>(date.month())),
                      static_cast<int>(static_cast<unsigned>(date.day())));
  if (made == nullptr) throw nb::python_error();
  return nb::steal(made);
}

}  // namespace tidemark::python
