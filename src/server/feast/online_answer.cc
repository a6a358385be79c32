// Columns are written one after the other, each into room that was made for its longest form. What repeats
// within an answer (statuses, the event times of a view) is written once and copied.
#include "server/feast/online_answer.h"

#include <arrow/c/bridge.h>
#include <arrow/record_batch.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "server/feast/value_json.h"
#include "server/json/json_text.h"
#include "server/json/numbers.h"

namespace tidemark::server::feast {
namespace {

constexpr std::string_view kValuesOpen = R"({"values":[)";
constexpr std::string_view kStatusesOpen = R"(,"statuses":[)";
constexpr std::string_view kTimesOpen = R"(,"event_timestamps":[)";
constexpr std::string_view kColumnClose = "},";
constexpr std::size_t kColumnBytes = 64;  // more than those and the brackets take
constexpr std::string_view kPresent = "\"PRESENT\",";
constexpr std::string_view kEpoch = "\"1970-01-01T00:00:00Z\",";
constexpr std::size_t kTimeBytesMax = 48;
constexpr std::size_t kStatusBytesMax = 20;

/// Appends up to `bytes_max` bytes that `put(char* begin, char* to) -> char* end` writes; `begin` is where
/// `out` begins.
template <typename Put>
void Extend(std::string& out, std::size_t bytes_max, const Put& put) {
  const std::size_t size = out.size();
  // Growing by steps would copy what is there each time.
  if (out.capacity() < size + bytes_max) out.reserve(std::max(out.capacity() * 2, size + bytes_max));
  out.resize_and_overwrite(size + bytes_max, [&](char* bytes, std::size_t /*room*/) {
    return static_cast<std::size_t>(put(bytes, bytes + size) - bytes);
  });
}

char* Put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

char* PutPair(char* to, unsigned value) {
  to[0] = static_cast<char>('0' + value / 10);
  to[1] = static_cast<char>('0' + value % 10);
  return to + 2;
}

/// Points in time as RFC 3339 with Z; the last day is remembered, as is the last one of all.
class TimeWriter {
 public:
  char* Put(char* to, std::int64_t us) {
    if (us != last_us_) Make(us);
    std::memcpy(to, text_.data(), text_.size());  // a constant length copies fastest
    return to + length_;
  }

 private:
  void Make(std::int64_t us) {
    using std::chrono::days;
    using std::chrono::microseconds;
    using std::chrono::sys_days;
    last_us_ = us;
    const std::chrono::sys_time<microseconds> time{microseconds(us)};
    const auto day = std::chrono::floor<days>(time);
    char* at = text_.data();
    *at++ = '"';
    if (day != day_ || !has_day_) {
      day_ = day;
      has_day_ = true;
      const std::chrono::year_month_day date{sys_days(day)};
      const int year = static_cast<int>(date.year());
      // Stores take years 1 to 9999 only.
      const auto shown = static_cast<unsigned>(std::clamp(year, 0, 9999));
      PutPair(PutPair(date_.data(), shown / 100), shown % 100);
      date_[4] = date_[7] = '-';
      PutPair(date_.data() + 5, static_cast<unsigned>(date.month()));
      PutPair(date_.data() + 8, static_cast<unsigned>(date.day()));
    }
    std::memcpy(at, date_.data(), date_.size());
    at += date_.size();
    const auto within = static_cast<std::uint64_t>((time - day).count());
    const auto second = static_cast<unsigned>(within / 1'000'000);
    *at++ = 'T';
    at = PutPair(at, second / 3600);
    *at++ = ':';
    at = PutPair(at, second / 60 % 60);
    *at++ = ':';
    at = PutPair(at, second % 60);
    at = PutFraction(at, static_cast<unsigned>(within % 1'000'000));
    std::memcpy(at, "Z\",", 3);
    length_ = static_cast<std::size_t>(at + 3 - text_.data());
  }

  /// None, three or six digits.
  static char* PutFraction(char* at, unsigned us) {
    if (us == 0) return at;
    *at++ = '.';
    at = PutPair(at, us / 10'000);
    if (us % 1'000 == 0) {
      *at++ = static_cast<char>('0' + us / 1'000 % 10);
      return at;
    }
    at = PutPair(at, us / 100 % 100);
    return PutPair(at, us % 100);
  }

  std::int64_t last_us_ = INT64_MIN;
  std::array<char, kTimeBytesMax> text_{};
  std::size_t length_ = 0;
  bool has_day_ = false;
  std::chrono::sys_days day_{};
  std::array<char, 10> date_{};
};

/// Statuses and times of rows that are all the same: "PRESENT", 1970. Grown once, for all later answers.
std::string_view Repeated(std::string_view one, std::size_t rows, std::string& text) {
  while (text.size() < rows * one.size())
    text.append(one);
  return std::string_view(text).substr(0, rows * one.size());
}

class AnswerWriter {
 public:
  AnswerWriter(const PreparedLookup& lookup, const Entities& entities, const OnlineResult& result,
               std::string& out)
      : lookup_(lookup), entities_(entities), result_(result), rows_(entities.rows), out_(out) {}

  Answer<void> Write(bool with_versions) {
    out_.append("{\"results\":[");
    for (const std::size_t key : entities_.given)
      WriteKey(key);
    if (lookup_.has_nested) TM_TRY(ReadNested());
    for (std::size_t i = 0; i < lookup_.types.size(); ++i)
      WriteFeature(i);
    out_.back() = ']';  // for the comma; there is always a column
    WriteMetadata(with_versions);
    return {};
  }

 private:
  void Begin() { out_.append(kValuesOpen); }

  /// `statuses` and `times` end in commas, as the values do.
  void BeginStatuses() {
    out_.back() = ']';
    out_.append(kStatusesOpen);
  }
  void BeginTimes() {
    out_.back() = ']';
    out_.append(kTimesOpen);
  }
  void End() {
    out_.back() = ']';
    out_.append(kColumnClose);
  }

  void WriteKey(std::size_t key) {
    const EntityColumn& column = entities_.columns[key];
    const DataType& type = lookup_.keys[key].type;
    Begin();
    for (std::size_t row = 0; row < rows_; ++row) {
      switch (type.kind) {
        case TypeKind::kBool:
          out_.append(column.boolean(row) ? "true" : "false");
          break;
        case TypeKind::kString:
          json::AppendText(out_, column.text(row));
          break;
        case TypeKind::kBinary:
          AppendBytes(out_, column.text(row));
          break;
        case TypeKind::kTimestamp:
          json::AppendNumber(out_, SecondsOf(column.integer(row)));
          break;
        default:
          json::AppendNumber(out_, column.integer(row));
      }
      out_.push_back(',');
    }
    BeginStatuses();
    out_.append(Repeated(kPresent, rows_, present_texts));
    BeginTimes();
    out_.append(Repeated(kEpoch, rows_, epoch_texts));
    End();
  }

  void WriteFeature(std::size_t column) {
    const Status* const statuses = result_.statuses(column);
    const bool is_whole =
        std::all_of(statuses, statuses + rows_, [](Status status) { return status == Status::kPresent; });
    if (lookup_.forms[column] == ValueForm::kFixed) {
      switch (lookup_.types[column].kind) {
        case TypeKind::kFloat64:
          return WriteNumbers<double, double>(column, statuses, is_whole);
        case TypeKind::kFloat32:
          return WriteNumbers<float, double>(column, statuses, is_whole);
        case TypeKind::kInt64:
          return WriteNumbers<std::int64_t, std::int64_t>(column, statuses, is_whole);
        case TypeKind::kInt32:
          return WriteNumbers<std::int32_t, std::int64_t>(column, statuses, is_whole);
        default:
          break;
      }
    }
    Begin();
    WriteValues(column, statuses);
    Extend(out_, ClosingBytesMax(),
           [&](const char* begin, char* to) { return PutClosing(begin, to, column, statuses, is_whole); });
  }

  void WriteValues(std::size_t column, const Status* statuses) {
    const DataType& type = lookup_.types[column];
    for (std::size_t row = 0; row < rows_; ++row) {
      if (statuses[row] == Status::kPresent) {
        WriteValue(column, row, type);
      } else {
        out_.append("null");
      }
      out_.push_back(',');
    }
  }

  void WriteValue(std::size_t column, std::size_t row, const DataType& type) {
    switch (lookup_.forms[column]) {
      case ValueForm::kNested:
        return AppendValue(out_, *nested_->column(static_cast<int>(column)), static_cast<std::int64_t>(row));
      case ValueForm::kText:
        if (type.kind == TypeKind::kBinary) return AppendBytes(out_, result_.text(column, row));
        return json::AppendText(out_, result_.text(column, row));
      case ValueForm::kFixed:
        break;
    }
    switch (type.kind) {
      case TypeKind::kBool:
        out_.append(result_.Fixed<std::uint8_t>(column)[row] != 0 ? "true" : "false");
        return;
      case TypeKind::kTimestamp:
        return json::AppendNumber(out_, SecondsOf(result_.Fixed<std::int64_t>(column)[row]));
      case TypeKind::kDate:
        return AppendDate(out_, result_.Fixed<std::int32_t>(column)[row]);
      default:
        return AppendDecimal(out_, result_.fixed(column) + row * 16, type.scale);
    }
  }

  /// A whole column in one go: these are most of what is asked for.
  template <typename Stored, typename Written>
  void WriteNumbers(std::size_t column, const Status* statuses, bool is_whole) {
    const Stored* const values = result_.Fixed<Stored>(column);
    Extend(out_, rows_ * (json::kNumberBytesMax + 1) + ClosingBytesMax(), [&](const char* begin, char* to) {
      to = Put(to, kValuesOpen);
      for (std::size_t row = 0; row < rows_; ++row) {
        if (is_whole || statuses[row] == Status::kPresent) {
          to = json::PutNumber(to, static_cast<Written>(values[row]));
        } else {
          to = Put(to, "null");
        }
        *to++ = ',';
      }
      return PutClosing(begin, to, column, statuses, is_whole);
    });
  }

  std::size_t ClosingBytesMax() const {
    return rows_ * (kStatusBytesMax + kTimeBytesMax) + kTimeBytesMax + kColumnBytes;
  }

  /// What follows a column's values, the last of which has a comma.
  char* PutClosing(const char* begin, char* to, std::size_t column, const Status* statuses, bool is_whole) {
    to[-1] = ']';
    to = Put(to, kStatusesOpen);
    to = is_whole ? Put(to, Repeated(kPresent, rows_, present_texts)) : PutStatuses(to, statuses);
    to[-1] = ']';
    to = PutTimes(begin, Put(to, kTimesOpen), result_.event_times_us(column));
    to[-1] = ']';
    return Put(to, kColumnClose);
  }

  char* PutStatuses(char* to, const Status* statuses) const {
    for (std::size_t row = 0; row < rows_; ++row) {
      if (statuses[row] == Status::kPresent) {
        to = Put(to, kPresent);
        continue;
      }
      *to++ = '"';
      to = Put(to, StatusName(statuses[row]));
      to = Put(to, "\",");
    }
    return to;
  }

  /// Columns of one view have the same: the text of the column before is copied then.
  char* PutTimes(const char* begin, char* to, const std::int64_t* times) {
    if (times == last_times_) {
      std::memcpy(to, begin + times_begin_, times_bytes_);
      to += times_bytes_;
      to[-1] = ',';  // what was copied ends in a bracket by now
      return to;
    }
    last_times_ = times;
    times_begin_ = static_cast<std::size_t>(to - begin);
    for (std::size_t row = 0; row < rows_; ++row)
      to = clock_.Put(to, times[row]);
    times_bytes_ = static_cast<std::size_t>(to - begin) - times_begin_;
    return to;
  }

  /// Lists, structs and maps: the lookup's answer as Arrow arrays.
  Answer<void> ReadNested() {
    ArrowSchema schema{};
    ArrowArray array{};
    TM_TRY(result_.ToArrow(false, false, &schema, &array));
    auto batch = arrow::ImportRecordBatch(&array, &schema);
    if (!batch.ok()) {
      return std::unexpected(
          Refusal(Error{.code = ErrorCode::kInternal, .message = batch.status().message(), .context = {}}));
    }
    nested_ = *std::move(batch);
    return {};
  }

  void WriteMetadata(bool with_versions) {
    out_.append(",\"metadata\":{\"feature_names\":[");
    for (const std::size_t key : entities_.given) {
      json::AppendText(out_, lookup_.keys[key].name);
      out_.push_back(',');
    }
    if (lookup_.feature_names.empty() && out_.back() == ',') out_.pop_back();
    out_.append(lookup_.feature_names).push_back(']');
    if (with_versions) out_.append(",\"feature_view_metadata\":").append(lookup_.view_versions);
    out_.append("}}");
  }

  static thread_local std::string present_texts;
  static thread_local std::string epoch_texts;

  const PreparedLookup& lookup_;
  const Entities& entities_;
  const OnlineResult& result_;
  const std::size_t rows_;
  std::string& out_;
  std::shared_ptr<arrow::RecordBatch> nested_;
  TimeWriter clock_;
  const std::int64_t* last_times_ = nullptr;
  std::size_t times_begin_ = 0;
  std::size_t times_bytes_ = 0;
};

thread_local std::string AnswerWriter::present_texts;
thread_local std::string AnswerWriter::epoch_texts;

}  // namespace

Answer<void> WriteAnswer(const PreparedLookup& lookup, const Entities& entities, const OnlineResult& result,
                         bool with_versions, std::string& out) {
  const std::size_t columns = lookup.types.size() + entities.given.size();
  out.reserve(out.size() + columns * (kColumnBytes + entities.rows * 60) + entities.rows * 128 + 2048);
  return AnswerWriter(lookup, entities, result, out).Write(with_versions);
}

}  // namespace tidemark::server::feast
