// Widths are counted in characters, not bytes.
#include "cli/table.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/json.h"
#include "cli/parquet_output.h"

namespace tidemark::cli {
namespace {

/// Characters of UTF-8 text: bytes that do not go on with a character.
std::size_t Width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

/// Text on one line: control characters are escaped.
std::string OneLine(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '\n') {
      made += "\\n";
    } else if (c == '\t') {
      made += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      made += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      made += c;
    }
  }
  return made;
}

std::string CsvCell(const Json& cell) {
  if (cell.is_null()) return "";
  const std::string text = CellText(cell);
  // Empty text is quoted, so that it differs from null.
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + "\"";
}

class TablePrinter final : public RowPrinter {
 public:
  explicit TablePrinter(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  Result<void> Print(const Row& row) override {
    rows_.push_back(row);
    return {};
  }

  Result<void> Finish() override {
    std::vector<std::size_t> widths;
    std::vector<bool> numeric(columns_.size(), true);
    for (const std::string& column : columns_)
      widths.push_back(Width(column));
    for (const Row& row : rows_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        widths[i] = std::max(widths[i], Width(OneLine(CellText(row[i]))));
        if (!row[i].is_null() && !row[i].is_number()) numeric[i] = false;
      }
    }
    std::string out = Line(Row(columns_.begin(), columns_.end()), widths, numeric);
    for (const std::size_t width : widths)
      out += std::string(width, '-') + "  ";
    out.replace(out.size() - (widths.empty() ? 0 : 2), std::string::npos, "\n");
    for (const Row& row : rows_)
      out += Line(row, widths, numeric);
    return WriteOut(out);
  }

 private:
  static std::string Line(const Row& row, const std::vector<std::size_t>& widths,
                          const std::vector<bool>& numeric) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string text = OneLine(CellText(row[i]));
      const std::string padding(widths[i] - Width(text), ' ');
      line += numeric[i] ? padding + text : text + padding;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    return line + "\n";
  }

  const std::vector<std::string> columns_;
  std::vector<Row> rows_;
};

class JsonPrinter final : public RowPrinter {
 public:
  explicit JsonPrinter(std::vector<std::string> columns) : columns_(std::move(columns)) {}

  Result<void> Print(const Row& row) override {
    Json object = Json::object();
    for (std::size_t i = 0; i < row.size(); ++i)
      object[columns_[i]] = row[i];
    const std::string text = object.dump();
    const char* const before = first_ ? "[\n  " : ",\n  ";
    first_ = false;
    return WriteOut(before + text);
  }

  Result<void> Finish() override { return WriteOut(first_ ? "[]\n" : "\n]\n"); }

 private:
  const std::vector<std::string> columns_;
  bool first_ = true;
};

class CsvPrinter final : public RowPrinter {
 public:
  explicit CsvPrinter(const std::vector<std::string>& columns) : header_(columns.begin(), columns.end()) {}

  Result<void> Print(const Row& row) override {
    TM_TRY(PrintHeader());
    return WriteOut(Line(row));
  }

  Result<void> Finish() override { return PrintHeader(); }

 private:
  Result<void> PrintHeader() {
    if (printed_) return {};
    printed_ = true;
    return WriteOut(Line(header_));
  }

  static std::string Line(const Row& row) {
    std::string line;
    for (const Json& cell : row)
      line += CsvCell(cell) + ",";
    if (!line.empty()) line.pop_back();
    return line + "\n";
  }

  const Row header_;
  bool printed_ = false;
};

void AppendDocument(const Json& document, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  const auto append = [&](const std::string& name, const Json& value) {
    const bool nested = value.is_structured() && !value.empty();
    out += margin + name + (nested ? "\n" : " " + OneLine(CellText(value)) + "\n");
    if (nested) AppendDocument(value, indent + 2, out);
  };
  if (document.is_object()) {
    for (const auto& [name, value] : document.items())
      append(name + ":", value);
  } else if (document.is_array()) {
    for (const Json& value : document)
      append("-", value);
  } else {
    out += margin + OneLine(CellText(document)) + "\n";
  }
}

}  // namespace

std::string CellText(const Json& cell) {
  if (cell.is_string()) return cell.get<std::string>();
  return cell.dump();
}

Result<void> WriteOut(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return {};
  if (errno == EPIPE) return Fail(ErrorCode::kCancelled, "");  // the reader has seen enough: nothing to say
  return Fail(ErrorCode::kIo, fmt::format("the output cannot be written: {}", std::strerror(errno)));
}

std::unique_ptr<RowPrinter> MakeRowPrinter(OutputFormat format, std::vector<std::string> columns) {
  if (format == OutputFormat::kJson) return std::make_unique<JsonPrinter>(std::move(columns));
  if (format == OutputFormat::kCsv) return std::make_unique<CsvPrinter>(columns);
  if (format == OutputFormat::kParquet) return MakeParquetPrinter(std::move(columns));
  return std::make_unique<TablePrinter>(std::move(columns));
}

Result<void> PrintRows(OutputFormat format, std::vector<std::string> columns, const std::vector<Row>& rows) {
  const auto printer = MakeRowPrinter(format, std::move(columns));
  for (const Row& row : rows)
    TM_TRY(printer->Print(row));
  return printer->Finish();
}

Result<void> PrintDocument(OutputFormat format, const Json& document) {
  if (format == OutputFormat::kParquet && document.is_object()) {
    std::vector<std::string> names;
    Row row;
    for (const auto& [name, value] : document.items()) {
      names.push_back(name);
      row.push_back(value);
    }
    return PrintRows(format, std::move(names), {row});
  }
  if (format != OutputFormat::kTable) return WriteOut(document.dump(2) + "\n");
  std::string out;
  AppendDocument(document, 0, out);
  return WriteOut(out);
}

}  // namespace tidemark::cli
