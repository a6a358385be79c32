// Dates and times: parts, truncation, differences and intervals. All in UTC; the calendar is the Gregorian
// one, continued backwards, with a year 0, as DuckDB has it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "expression/binder_internal.h"
#include "model/name.h"

namespace tidemark::expression_internal {
namespace {

constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kMillisecondUs = 1'000;

// Parts of a time; the first that a name says. What has a fixed length comes first.
enum class Unit : std::int64_t {
  kMicrosecond,
  kMillisecond,
  kSecond,
  kMinute,
  kHour,
  kDay,
  kWeek,
  kMonth,
  kQuarter,
  kYear,
  kDecade,
  kCentury,
  kMillennium,
  kDayOfWeek,     // Sunday is 0
  kIsoDayOfWeek,  // Monday is 1
  kDayOfYear,
  kIsoYear,
  kEpoch,  // seconds since 1970, a float64
};

struct UnitName {
  std::string_view name;
  Unit unit;
};

constexpr std::array kUnits = std::to_array<UnitName>({
    {"microsecond", Unit::kMicrosecond},
    {"us", Unit::kMicrosecond},
    {"millisecond", Unit::kMillisecond},
    {"ms", Unit::kMillisecond},
    {"second", Unit::kSecond},
    {"sec", Unit::kSecond},
    {"s", Unit::kSecond},
    {"minute", Unit::kMinute},
    {"min", Unit::kMinute},
    {"m", Unit::kMinute},
    {"hour", Unit::kHour},
    {"hr", Unit::kHour},
    {"h", Unit::kHour},
    {"day", Unit::kDay},
    {"d", Unit::kDay},
    {"dayofmonth", Unit::kDay},
    {"week", Unit::kWeek},
    {"w", Unit::kWeek},
    {"weekofyear", Unit::kWeek},
    {"month", Unit::kMonth},
    {"mon", Unit::kMonth},
    {"quarter", Unit::kQuarter},
    {"year", Unit::kYear},
    {"y", Unit::kYear},
    {"yr", Unit::kYear},
    {"decade", Unit::kDecade},
    {"century", Unit::kCentury},
    {"millennium", Unit::kMillennium},
    {"dow", Unit::kDayOfWeek},
    {"dayofweek", Unit::kDayOfWeek},
    {"weekday", Unit::kDayOfWeek},
    {"isodow", Unit::kIsoDayOfWeek},
    {"doy", Unit::kDayOfYear},
    {"dayofyear", Unit::kDayOfYear},
    {"isoyear", Unit::kIsoYear},
    {"epoch", Unit::kEpoch},
});

std::optional<Unit> FindUnit(std::string_view text) {
  const std::string name = FoldName(text);
  for (const bool is_plural : {false, true}) {
    if (is_plural && !name.ends_with('s')) break;
    const std::string_view wanted = std::string_view(name).substr(0, name.size() - (is_plural ? 1 : 0));
    for (const UnitName& unit : kUnits) {
      if (unit.name == wanted) return unit.unit;
    }
  }
  if (name == "centuries") return Unit::kCentury;
  if (name == "millennia") return Unit::kMillennium;
  return std::nullopt;
}

std::int64_t FloorDivide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t DayOf(std::int64_t us) {
  return FloorDivide(us, kDayUs);
}

struct Civil {
  std::int64_t year;
  std::int64_t month;  // 1 to 12
  std::int64_t day;    // 1 to 31
};

// Days since 1970-01-01 to a date and back: years begin in March, eras have 400 years of 146,097 days.
// Source: H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
Civil CivilOf(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = FloorDivide(days, 146'097);
  const std::int64_t of_era = days - era * 146'097;
  const std::int64_t year = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::int64_t month = (5 * of_year + 2) / 153;
  const std::int64_t day = of_year - (153 * month + 2) / 5 + 1;
  const std::int64_t civil_month = month < 10 ? month + 3 : month - 9;
  return {year + era * 400 + (civil_month <= 2 ? 1 : 0), civil_month, day};
}

std::int64_t DaysOf(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = FloorDivide(year, 400);
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

std::int64_t DaysInMonth(std::int64_t year, std::int64_t month) {
  return month == 12 ? 31 : DaysOf(year, month + 1, 1) - DaysOf(year, month, 1);
}

// Monday is 0.
std::int64_t WeekdayOf(std::int64_t days) {
  return days + 3 - FloorDivide(days + 3, 7) * 7;
}

// The year of the week's Thursday, and the week in it.
Civil IsoWeekOf(std::int64_t days) {
  const std::int64_t thursday = days - WeekdayOf(days) + 3;
  const std::int64_t year = CivilOf(thursday).year;
  return {year, (thursday - DaysOf(year, 1, 1)) / 7 + 1, 0};
}

template <Unit kUnit>
std::int64_t PartOf(std::int64_t us) {
  const std::int64_t days = DayOf(us);
  const std::int64_t of_day = us - days * kDayUs;
  switch (kUnit) {
    case Unit::kMicrosecond:
      return of_day % kMinuteUs;
    case Unit::kMillisecond:
      return of_day % kMinuteUs / 1000;
    case Unit::kSecond:
      return of_day % kMinuteUs / kSecondUs;
    case Unit::kMinute:
      return of_day % kHourUs / kMinuteUs;
    case Unit::kHour:
      return of_day / kHourUs;
    case Unit::kDay:
      return CivilOf(days).day;
    case Unit::kWeek:
      return IsoWeekOf(days).month;
    case Unit::kMonth:
      return CivilOf(days).month;
    case Unit::kQuarter:
      return (CivilOf(days).month - 1) / 3 + 1;
    case Unit::kYear:
      return CivilOf(days).year;
    case Unit::kDecade:
      return CivilOf(days).year / 10;
    case Unit::kCentury: {
      const std::int64_t year = CivilOf(days).year;
      return year > 0 ? (year - 1) / 100 + 1 : year / 100 - 1;
    }
    case Unit::kMillennium: {
      const std::int64_t year = CivilOf(days).year;
      return year > 0 ? (year - 1) / 1000 + 1 : year / 1000 - 1;
    }
    case Unit::kDayOfWeek:
      return (WeekdayOf(days) + 1) % 7;
    case Unit::kIsoDayOfWeek:
      return WeekdayOf(days) + 1;
    case Unit::kDayOfYear:
      return days - DaysOf(CivilOf(days).year, 1, 1) + 1;
    case Unit::kIsoYear:
      return IsoWeekOf(days).year;
    case Unit::kEpoch:
      return 0;
  }
}

template <Unit kUnit>
std::int64_t StartOf(std::int64_t us) {
  const std::int64_t days = DayOf(us);
  const auto first = [&](std::int64_t years) {
    return DaysOf(CivilOf(days).year / years * years, 1, 1) * kDayUs;
  };
  switch (kUnit) {
    case Unit::kMicrosecond:
      return us;
    case Unit::kMillisecond:
      return FloorDivide(us, 1000) * 1000;
    case Unit::kSecond:
      return FloorDivide(us, kSecondUs) * kSecondUs;
    case Unit::kMinute:
      return FloorDivide(us, kMinuteUs) * kMinuteUs;
    case Unit::kHour:
      return FloorDivide(us, kHourUs) * kHourUs;
    case Unit::kWeek:
      return (days - WeekdayOf(days)) * kDayUs;
    case Unit::kMonth: {
      const Civil date = CivilOf(days);
      return DaysOf(date.year, date.month, 1) * kDayUs;
    }
    case Unit::kQuarter: {
      const Civil date = CivilOf(days);
      return DaysOf(date.year, (date.month - 1) / 3 * 3 + 1, 1) * kDayUs;
    }
    case Unit::kYear:
      return first(1);
    case Unit::kDecade:
      return first(10);
    case Unit::kCentury:
      return first(100);
    case Unit::kMillennium:
      return first(1000);
    case Unit::kIsoYear: {
      // The Monday of the week that holds the 4th of January.
      const std::int64_t fourth = DaysOf(IsoWeekOf(days).year, 1, 4);
      return (fourth - WeekdayOf(fourth)) * kDayUs;
    }
    default:
      return days * kDayUs;
  }
}

// Boundaries of the unit between the two; of weeks whole ones.
template <Unit kUnit>
std::int64_t Between(std::int64_t from, std::int64_t to) {
  switch (kUnit) {
    case Unit::kMicrosecond:
      return to - from;
    case Unit::kMillisecond:
      return FloorDivide(to, 1000) - FloorDivide(from, 1000);
    case Unit::kSecond:
      return FloorDivide(to, kSecondUs) - FloorDivide(from, kSecondUs);
    case Unit::kMinute:
      return FloorDivide(to, kMinuteUs) - FloorDivide(from, kMinuteUs);
    case Unit::kHour:
      return FloorDivide(to, kHourUs) - FloorDivide(from, kHourUs);
    case Unit::kWeek:
      return (DayOf(to) - DayOf(from)) / 7;
    case Unit::kMonth:
    case Unit::kQuarter: {
      const Civil a = CivilOf(DayOf(from));
      const Civil b = CivilOf(DayOf(to));
      const std::int64_t months = (b.year * 12 + b.month) - (a.year * 12 + a.month);
      if (kUnit == Unit::kMonth) return months;
      return FloorDivide(b.year * 12 + b.month - 1, 3) - FloorDivide(a.year * 12 + a.month - 1, 3);
    }
    case Unit::kYear:
      return CivilOf(DayOf(to)).year - CivilOf(DayOf(from)).year;
    case Unit::kDecade:
      return CivilOf(DayOf(to)).year / 10 - CivilOf(DayOf(from)).year / 10;
    case Unit::kCentury:
      return CivilOf(DayOf(to)).year / 100 - CivilOf(DayOf(from)).year / 100;
    case Unit::kMillennium:
      return CivilOf(DayOf(to)).year / 1000 - CivilOf(DayOf(from)).year / 1000;
    default:
      return DayOf(to) - DayOf(from);
  }
}

template <Unit kUnit>
void ReadPart(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int64_t>()[row] = PartOf<kUnit>(call.arg<std::int64_t>(0)[row]);
}

template <Unit kUnit>
void Truncate(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int64_t>()[row] = StartOf<kUnit>(call.arg<std::int64_t>(0)[row]);
}

template <Unit kUnit>
void Difference(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int64_t>()[row] =
        Between<kUnit>(call.arg<std::int64_t>(0)[row], call.arg<std::int64_t>(1)[row]);
}

void EpochOf(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<double>()[row] = static_cast<double>(call.arg<std::int64_t>(0)[row]) / 1e6;
}

void EpochUsOf(Call& call) {
  std::copy_n(call.arg<std::int64_t>(0), call.count, call.out.as<std::int64_t>());
}

// Of an interval: months make years, the rest stays what it is; a month in seconds counts as 30 days, a year
// as 365.25.
void EpochOfInterval(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    const Interval& interval = call.arg<Interval>(0)[row];
    const auto years = interval.months / 12;
    const double days = static_cast<double>(years) * 365.25 + (interval.months % 12) * 30 + interval.days;
    call.out.as<double>()[row] = days * 86'400 + static_cast<double>(interval.us) / 1e6;
  }
}

template <Unit kUnit>
void ReadIntervalPart(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    const Interval& interval = call.arg<Interval>(0)[row];
    std::int64_t& out = call.out.as<std::int64_t>()[row];
    switch (kUnit) {
      case Unit::kYear:
        out = interval.months / 12;
        break;
      case Unit::kMonth:
        out = interval.months % 12;
        break;
      case Unit::kDay:
        out = interval.days;
        break;
      case Unit::kHour:
        out = interval.us / kHourUs;
        break;
      case Unit::kMinute:
        out = interval.us % kHourUs / kMinuteUs;
        break;
      default:
        out = interval.us % kMinuteUs / kSecondUs;
        break;
    }
  }
}

// A table of one kernel per unit.
template <template <Unit> typename K, std::size_t... kPlaces>
Kernel ByUnit(Unit unit, std::index_sequence<kPlaces...> /*places*/) {
  constexpr std::array<Kernel, sizeof...(kPlaces)> kKernels{K<static_cast<Unit>(kPlaces)>::kKernel...};
  return kKernels.at(static_cast<std::size_t>(unit));
}

template <Unit kUnit>
struct PartKernel {
  static constexpr Kernel kKernel = ReadPart<kUnit>;
};
template <Unit kUnit>
struct TruncateKernel {
  static constexpr Kernel kKernel = Truncate<kUnit>;
};
template <Unit kUnit>
struct DifferenceKernel {
  static constexpr Kernel kKernel = Difference<kUnit>;
};
template <Unit kUnit>
struct IntervalPartKernel {
  static constexpr Kernel kKernel = ReadIntervalPart<kUnit>;
};
using AllUnits = std::make_index_sequence<static_cast<std::size_t>(Unit::kEpoch) + 1>;

Result<Unit> UnitOf(const Arguments& arguments) {
  TM_ASSIGN(const std::string name, arguments.ConstantText(0, "a part of a time"));
  const auto unit = FindUnit(name);
  if (unit) return *unit;
  std::vector<std::string> known;
  for (const UnitName& one : kUnits)
    known.emplace_back(one.name);
  return arguments.Wrong(
      arguments.values[0]->at,
      fmt::format("there is no part {} of a time{}; there are year, quarter, month, week, day, hour, "
                  "minute, second, millisecond, microsecond, dow, doy, epoch",
                  Quoted(name), Suggest(name, known)));
}

Result<void> BecomeTime(Arguments& arguments, std::size_t place) {
  if (!arguments.type(place).is_time() && !arguments.type(place).is_null() &&
      arguments.values[place]->literal != Literal::kText) {
    return arguments.Mismatch(place, "a timestamp or date");
  }
  return arguments.Become(place, Plain(TypeKind::kTimestamp));
}

Result<NodePtr> PartOfInterval(Arguments arguments, Unit unit) {
  if (unit == Unit::kEpoch) return std::move(arguments).Make(Plain(TypeKind::kFloat64), EpochOfInterval);
  const std::array allowed{Unit::kYear, Unit::kMonth, Unit::kDay, Unit::kHour, Unit::kMinute, Unit::kSecond};
  if (std::ranges::find(allowed, unit) == allowed.end()) {
    return arguments.Wrong(arguments.at,
                           "an interval has the parts year, month, day, hour, minute, second and epoch");
  }
  return std::move(arguments).Make(Plain(TypeKind::kInt64), ByUnit<IntervalPartKernel>(unit, AllUnits()));
}

Result<NodePtr> PartOfTime(Arguments arguments, Unit unit) {
  if (arguments.type(0).kind == ValueType::Kind::kInterval) return PartOfInterval(std::move(arguments), unit);
  TM_TRY(BecomeTime(arguments, 0));
  if (unit == Unit::kEpoch) return std::move(arguments).Make(Plain(TypeKind::kFloat64), EpochOf);
  return std::move(arguments).Make(Plain(TypeKind::kInt64), ByUnit<PartKernel>(unit, AllUnits()));
}

Result<NodePtr> BindDatePart(Arguments arguments) {
  TM_ASSIGN(const Unit unit, UnitOf(arguments));
  arguments.values.erase(arguments.values.begin());
  return PartOfTime(std::move(arguments), unit);
}

template <Unit kUnit>
Result<NodePtr> BindPartCalled(Arguments arguments) {
  return PartOfTime(std::move(arguments), kUnit);
}

Result<NodePtr> BindEpochUs(Arguments arguments) {
  TM_TRY(BecomeTime(arguments, 0));
  return std::move(arguments).Make(Plain(TypeKind::kInt64), EpochUsOf);
}

/// The two numbers that stand for infinity, and the one below, are no moments.
bool IsMoment(std::int64_t us) {
  constexpr std::int64_t kInfinity = std::numeric_limits<std::int64_t>::max();
  return us < kInfinity && us > -kInfinity;
}

constexpr std::string_view kNoMoment = "the number is beyond what a timestamp can be";

template <std::int64_t kUnitUs>
void TimeOfCount(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    std::int64_t& out = call.out.as<std::int64_t>()[row];
    const bool is_beyond = __builtin_mul_overflow(call.arg<std::int64_t>(0)[row], kUnitUs, &out);
    if (!is_beyond && IsMoment(out)) continue;
    out = 0;
    if (call.Counts(row)) return call.Fail(row, std::string(kNoMoment));
  }
}

void TimeOfSeconds(Call& call) {
  constexpr double kEnd = 0x1p63;
  for (std::int64_t row = 0; row < call.count; ++row) {
    std::int64_t& out = call.out.as<std::int64_t>()[row];
    const double us = std::nearbyint(call.arg<double>(0)[row] * static_cast<double>(kSecondUs));
    if (us > -kEnd && us < kEnd) {
      out = static_cast<std::int64_t>(us);
      continue;
    }
    out = 0;
    if (call.Counts(row)) return call.Fail(row, std::string(kNoMoment));
  }
}

template <std::int64_t kUnitUs>
Result<NodePtr> BindTimeOfCount(Arguments arguments) {
  TM_TRY(arguments.Become(0, Plain(TypeKind::kInt64)));
  return std::move(arguments).Make(Plain(TypeKind::kTimestamp), TimeOfCount<kUnitUs>);
}

Result<NodePtr> BindTimeOfSeconds(Arguments arguments) {
  TM_TRY(arguments.Become(0, Plain(TypeKind::kFloat64)));
  return std::move(arguments).Make(Plain(TypeKind::kTimestamp), TimeOfSeconds);
}

Result<NodePtr> BindTruncate(Arguments arguments) {
  TM_ASSIGN(const Unit unit, UnitOf(arguments));
  if (unit == Unit::kEpoch)
    return arguments.Wrong(arguments.values[0]->at, "date_trunc cannot cut to the epoch");
  TM_TRY(BecomeTime(arguments, 1));
  arguments.values.erase(arguments.values.begin());
  return std::move(arguments).Make(Plain(TypeKind::kTimestamp), ByUnit<TruncateKernel>(unit, AllUnits()));
}

Result<NodePtr> BindDifference(Arguments arguments) {
  TM_ASSIGN(const Unit unit, UnitOf(arguments));
  if (unit > Unit::kMillennium) {
    return arguments.Wrong(arguments.values[0]->at, "date_diff counts units from microsecond to millennium");
  }
  TM_TRY(BecomeTime(arguments, 1));
  TM_TRY(BecomeTime(arguments, 2));
  arguments.values.erase(arguments.values.begin());
  return std::move(arguments).Make(Plain(TypeKind::kInt64), ByUnit<DifferenceKernel>(unit, AllUnits()));
}

Result<NodePtr> BindNow(Arguments arguments) {
  NodePtr node = std::move(arguments).Make(Plain(TypeKind::kTimestamp), nullptr);
  node->kind = Node::Kind::kNow;
  return node;
}

// Months first, kept within the month that they lead to; then days; then the rest. False if beyond the range.
bool AddInterval(std::int64_t us, const Interval& interval, bool is_minus, std::int64_t* out) {
  std::int64_t days = DayOf(us);
  const std::int64_t of_day = us - days * kDayUs;
  const std::int64_t sign = is_minus ? -1 : 1;
  if (interval.months != 0) {
    const Civil date = CivilOf(days);
    const std::int64_t months = date.year * 12 + date.month - 1 + sign * interval.months;
    const std::int64_t year = FloorDivide(months, 12);
    const std::int64_t month = months - year * 12 + 1;
    days = DaysOf(year, month, std::min(date.day, DaysInMonth(year, month)));
  }
  days += sign * interval.days;
  std::int64_t rest = 0;
  if (__builtin_mul_overflow(sign, interval.us, &rest) || __builtin_add_overflow(rest, of_day, &rest))
    return false;
  return !__builtin_mul_overflow(days, kDayUs, out) && !__builtin_add_overflow(*out, rest, out);
}

template <bool kMinus>
void MoveTime(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    std::int64_t& out = call.out.as<std::int64_t>()[row];
    if (AddInterval(call.arg<std::int64_t>(0)[row], call.arg<Interval>(1)[row], kMinus, &out)) continue;
    out = 0;
    if (call.Counts(row))
      return call.Fail(row, "the time and the interval lead beyond what a timestamp can be");
  }
}

// Days and the rest of the distance, both of its sign.
void DistanceOf(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    std::int64_t us = 0;
    if (__builtin_sub_overflow(call.arg<std::int64_t>(0)[row], call.arg<std::int64_t>(1)[row], &us)) {
      us = 0;
      if (call.Counts(row)) return call.Fail(row, "the times are too far apart");
    }
    call.out.as<Interval>()[row] = {
        .months = 0, .days = static_cast<std::int32_t>(us / kDayUs), .us = us % kDayUs};
  }
}

template <bool kMinus>
void MoveDate(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    std::int32_t& out = call.out.as<std::int32_t>()[row];
    const std::int32_t a = call.arg<std::int32_t>(0)[row];
    const std::int32_t b = call.arg<std::int32_t>(1)[row];
    const bool is_beyond = kMinus ? __builtin_sub_overflow(a, b, &out) : __builtin_add_overflow(a, b, &out);
    if (is_beyond && call.Counts(row))
      return call.Fail(row, "the date and the number of days lead beyond what a date can be");
  }
}

void DaysBetween(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row)
    call.out.as<std::int64_t>()[row] =
        std::int64_t{call.arg<std::int32_t>(0)[row]} - call.arg<std::int32_t>(1)[row];
}

template <bool kMinus>
void AddIntervals(Call& call) {
  for (std::int64_t row = 0; row < call.count; ++row) {
    const Interval& a = call.arg<Interval>(0)[row];
    const Interval& b = call.arg<Interval>(1)[row];
    Interval& out = call.out.as<Interval>()[row];
    const bool is_beyond = kMinus ? __builtin_sub_overflow(a.months, b.months, &out.months) ||
                                        __builtin_sub_overflow(a.days, b.days, &out.days) ||
                                        __builtin_sub_overflow(a.us, b.us, &out.us)
                                  : __builtin_add_overflow(a.months, b.months, &out.months) ||
                                        __builtin_add_overflow(a.days, b.days, &out.days) ||
                                        __builtin_add_overflow(a.us, b.us, &out.us);
    if (is_beyond && call.Counts(row)) return call.Fail(row, "the sum of the intervals is too large");
  }
}

std::int64_t* FieldOf(Unit unit, std::int64_t* months, std::int64_t* days, std::int64_t* us,
                      std::int64_t* factor) {
  constexpr std::array<std::int64_t, 13> kFactors{1, 1000, kSecondUs, kMinuteUs, kHourUs, 1,     7,
                                                  1, 3,    12,        120,       1200,    12'000};
  *factor = kFactors.at(static_cast<std::size_t>(unit));
  if (unit < Unit::kDay) return us;
  return unit < Unit::kMonth ? days : months;
}

constexpr std::array kTimes = std::to_array<Function>({
    {"now", 0, 0, BindNow},
    {"date_part", 2, 2, BindDatePart},
    {"datepart", 2, 2, BindDatePart},
    {"date_trunc", 2, 2, BindTruncate},
    {"datetrunc", 2, 2, BindTruncate},
    {"date_diff", 3, 3, BindDifference},
    {"datediff", 3, 3, BindDifference},
    {"epoch", 1, 1, BindPartCalled<Unit::kEpoch>},
    {"epoch_us", 1, 1, BindEpochUs},
    {"epoch_ms", 1, 1, BindTimeOfCount<kMillisecondUs>},
    {"make_timestamp", 1, 1, BindTimeOfCount<1>},
    {"to_timestamp", 1, 1, BindTimeOfSeconds},
    {"year", 1, 1, BindPartCalled<Unit::kYear>},
    {"quarter", 1, 1, BindPartCalled<Unit::kQuarter>},
    {"month", 1, 1, BindPartCalled<Unit::kMonth>},
    {"week", 1, 1, BindPartCalled<Unit::kWeek>},
    {"day", 1, 1, BindPartCalled<Unit::kDay>},
    {"dayofweek", 1, 1, BindPartCalled<Unit::kDayOfWeek>},
    {"dayofyear", 1, 1, BindPartCalled<Unit::kDayOfYear>},
    {"hour", 1, 1, BindPartCalled<Unit::kHour>},
    {"minute", 1, 1, BindPartCalled<Unit::kMinute>},
    {"second", 1, 1, BindPartCalled<Unit::kSecond>},
});

}  // namespace

Result<NodePtr> BindTimeSum(Arguments arguments, bool is_minus) {
  constexpr auto kInterval = ValueType::Kind::kInterval;
  const ValueType timestamp = Plain(TypeKind::kTimestamp);
  if (!is_minus && !arguments.type(0).is_time() && arguments.type(1).is_time()) {
    std::swap(arguments.values[0], arguments.values[1]);
  }
  const ValueType left = arguments.type(0);
  const ValueType right = arguments.type(1);
  if (left.is_time() && right.kind == kInterval) {
    TM_TRY(arguments.Become(0, timestamp));
    return std::move(arguments).Make(timestamp, is_minus ? MoveTime<true> : MoveTime<false>);
  }
  if (left.kind == kInterval && right.kind == kInterval) {
    return std::move(arguments).Make({.kind = kInterval},
                                     is_minus ? AddIntervals<true> : AddIntervals<false>);
  }
  if (left.is(TypeKind::kDate) && right.is(TypeKind::kInt32)) {
    return std::move(arguments).Make(left, is_minus ? MoveDate<true> : MoveDate<false>);
  }
  if (is_minus && left.is(TypeKind::kDate) && right.is(TypeKind::kDate)) {
    return std::move(arguments).Make(Plain(TypeKind::kInt64), DaysBetween);
  }
  const bool is_text =
      arguments.values[0]->literal == Literal::kText || arguments.values[1]->literal == Literal::kText;
  if (is_minus && ((left.is_time() && right.is_time()) || (is_text && (left.is_time() || right.is_time())))) {
    TM_TRY(arguments.Become(0, timestamp));
    TM_TRY(arguments.Become(1, timestamp));
    return std::move(arguments).Make({.kind = kInterval}, DistanceOf);
  }
  return FailAt(
      ErrorCode::kTypeMismatch, arguments.text, arguments.at,
      fmt::format("there is no {} {} {}; add an interval to a time, or a whole number of days to a date",
                  left.ToString(), is_minus ? '-' : '+', right.ToString()));
}

Result<Interval> ParseInterval(std::string_view text, std::string_view unit_name) {
  const auto wrong = [&] {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is no interval; write interval '1 month 2 days' or interval 3 hours",
                    Quoted(std::string(text) + (unit_name.empty() ? "" : " ") + std::string(unit_name))));
  };
  std::string whole(text);
  if (!unit_name.empty()) whole += fmt::format(" {}", unit_name);
  std::int64_t months = 0;
  std::int64_t days = 0;
  std::int64_t us = 0;
  std::string_view rest = whole;
  int parts = 0;
  while (true) {
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (rest.empty()) break;
    std::int64_t number = 0;
    if (rest.front() == '+') rest.remove_prefix(1);
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc{}) return wrong();
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    const std::string_view name = rest.substr(0, rest.find_first_of(" -+0123456789"));
    const auto unit = FindUnit(name);
    if (!unit || *unit > Unit::kMillennium) return wrong();
    rest.remove_prefix(name.size());
    std::int64_t factor = 1;
    std::int64_t* field = FieldOf(*unit, &months, &days, &us, &factor);
    if (__builtin_mul_overflow(number, factor, &number) || __builtin_add_overflow(*field, number, field))
      return wrong();
    ++parts;
  }
  if (parts == 0 || !std::in_range<std::int32_t>(months) || !std::in_range<std::int32_t>(days))
    return wrong();
  return Interval{static_cast<std::int32_t>(months), static_cast<std::int32_t>(days), us};
}

std::span<const Function> TimeFunctions() {
  return kTimes;
}

}  // namespace tidemark::expression_internal
