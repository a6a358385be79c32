// A bound expression: its nodes, the memory that evaluations borrow, and runs put together as one array.
#include "expression/expression.h"

#include <arrow/array/concatenate.h>
#include <arrow/builder.h>
#include <arrow/compute/api.h>
#include <arrow/util/bit_util.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <mutex>

#include "expression/binder_internal.h"
#include "pit/arrow_status.h"
#include "pit/columns.h"
#include "pit/utf8.h"

namespace tidemark {

using expression_internal::BindSyntax;
using expression_internal::kRunRows;
using expression_internal::Lane;
using expression_internal::LaneBytes;
using expression_internal::Node;
using expression_internal::NodePtr;
using expression_internal::PackBits;
using expression_internal::Run;
using expression_internal::Scratch;
using expression_internal::Vector;

struct BoundExpression::Program {
  struct Part {
    std::string text;
    std::string place;
    NodePtr root;
    DataType type;
    std::shared_ptr<arrow::DataType> arrow_type;

    /// It is a column as it is, which need not be read.
    bool is_column() const { return root->kind == Node::Kind::kColumn && !root->is_shared; }
  };
  std::vector<Part> parts;
  std::size_t slots = 0;
  std::vector<std::size_t> columns;
  std::vector<std::string> column_names;                       // of `columns`
  std::vector<std::shared_ptr<arrow::DataType>> column_types;  // of `columns`
  bool uses_now = false;

  // Memory that is not in use; an evaluation takes one and puts it back.
  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Scratch>> idle;

  std::unique_ptr<Scratch> Borrow() const {
    {
      const std::scoped_lock lock(mutex);
      if (!idle.empty()) {
        auto scratch = std::move(idle.back());
        idle.pop_back();
        return scratch;
      }
    }
    return std::make_unique<Scratch>(expression_internal::MakeScratch(Roots(), slots));
  }

  void GiveBack(std::unique_ptr<Scratch> scratch) const {
    constexpr std::size_t kIdleMax = 16;
    for (auto& slot : scratch->slots) {
      slot.kept.reset();
      slot.shared = {};
    }
    const std::scoped_lock lock(mutex);
    if (idle.size() < kIdleMax) idle.push_back(std::move(scratch));
  }

  std::vector<Node*> Roots() const {
    std::vector<Node*> roots;
    for (const Part& part : parts)
      roots.push_back(part.root.get());
    return roots;
  }

  static Result<std::shared_ptr<const Program>> Make(std::span<const StatedExpression> expressions,
                                                     std::span<const ExpressionColumn> columns);
  Result<std::vector<std::shared_ptr<arrow::Array>>> Evaluate(const ExpressionRows& rows) const;
  Result<void> CheckColumns(const ExpressionRows& rows) const;
};

namespace {

void CollectColumns(const Node& node, std::vector<std::size_t>& columns, bool& uses_now) {
  if (node.kind == Node::Kind::kColumn) columns.push_back(node.column);
  uses_now = uses_now || node.kind == Node::Kind::kNow;
  for (const NodePtr& arg : node.args)
    CollectColumns(*arg, columns, uses_now);
}

// Runs put one after the other.
class ResultColumn {
 public:
  ResultColumn(std::shared_ptr<arrow::DataType> type, Lane lane) : type_(std::move(type)), lane_(lane) {}

  Result<void> Reserve(std::int64_t rows) {
    rows_ = rows;
    if (lane_ == Lane::kArray) return {};
    if (lane_ == Lane::kText) return FromArrowStatus(texts_.Reserve(rows));
    const std::int64_t bytes = lane_ == Lane::kBool ? arrow::bit_util::BytesForBits(rows)
                                                    : rows * static_cast<std::int64_t>(LaneBytes(lane_));
    TM_ASSIGN(values_, FromArrowResult(arrow::AllocateBuffer(bytes)));
    return {};
  }

  /// `begin` is a multiple of eight.
  Result<void> Append(const Vector& run, std::int64_t begin, std::int64_t count) {
    if (lane_ == Lane::kArray) {
      arrays_.push_back(run.array);
      return {};
    }
    if (lane_ == Lane::kText) return AppendTexts(run, count);
    if (lane_ == Lane::kBool) {
      PackBits(run.as<std::uint8_t>(), count, values_->mutable_data() + begin / 8);
    } else {
      const std::size_t width = LaneBytes(lane_);
      std::memcpy(values_->mutable_data() + static_cast<std::size_t>(begin) * width, run.data,
                  static_cast<std::size_t>(count) * width);
    }
    if (run.valid == nullptr && !valid_) return {};
    if (!valid_) {
      TM_ASSIGN(valid_, FromArrowResult(arrow::AllocateBuffer(arrow::bit_util::BytesForBits(rows_))));
      std::memset(valid_->mutable_data(), 0xFF, static_cast<std::size_t>(valid_->size()));
    }
    if (run.valid != nullptr) {
      PackBits(run.valid, count, valid_->mutable_data() + begin / 8);
      nulls_ += std::count(run.valid, run.valid + count, std::uint8_t{0});
    }
    return {};
  }

  Result<std::shared_ptr<arrow::Array>> Finish() {
    if (lane_ == Lane::kArray) {
      if (arrays_.size() == 1) return arrays_.front();
      return FromArrowResult(arrow::Concatenate(arrays_));
    }
    if (lane_ == Lane::kText) {
      TM_ASSIGN(auto texts, FromArrowResult(texts_.Finish()));
      auto data = texts->data()->Copy();
      data->type = type_;
      return arrow::MakeArray(data);
    }
    return arrow::MakeArray(
        arrow::ArrayData::Make(type_, rows_, {nulls_ > 0 ? valid_ : nullptr, values_}, nulls_));
  }

 private:
  Result<void> AppendTexts(const Vector& run, std::int64_t count) {
    const auto* texts = run.as<std::string_view>();
    arrow::Status status;
    for (std::int64_t row = 0; row < count && status.ok(); ++row)
      status = run.is_valid(row) ? texts_.Append(texts[row]) : texts_.AppendNull();
    return FromArrowStatus(status);
  }

  std::shared_ptr<arrow::DataType> type_;
  Lane lane_;
  std::int64_t rows_ = 0;
  std::int64_t nulls_ = 0;
  std::shared_ptr<arrow::Buffer> values_;
  std::shared_ptr<arrow::Buffer> valid_;
  arrow::BinaryBuilder texts_;
  std::vector<std::shared_ptr<arrow::Array>> arrays_;
};

Result<void> ReadyArrow() {
  static const arrow::Status status = arrow::compute::Initialize();
  return FromArrowStatus(status);
}

// The root as the type that is wanted, or as the one that it has.
Result<NodePtr> AsWanted(NodePtr root, std::string_view text, const std::optional<DataType>& wanted) {
  using expression_internal::FailAt;
  if (!wanted) {
    if (root->type.is_null()) {
      return FailAt(ErrorCode::kTypeMismatch, text, root->at, "the type of this null is not known: cast it");
    }
    if (root->type.kind == expression_internal::ValueType::Kind::kInterval) {
      return FailAt(ErrorCode::kTypeMismatch, text, root->at,
                    "an interval cannot be a result: take a part of it, such as extract(epoch from ...)");
    }
    return root;
  }
  expression_internal::Arguments result{.text = text, .name = "the field", .at = root->at, .values = {}};
  result.values.push_back(std::move(root));
  if (!result.Become(0, {.type = *wanted})) {
    return FailAt(ErrorCode::kTypeMismatch, text, result.values[0]->at,
                  fmt::format("the expression gives {}, but {} is wanted: cast it", result.type(0).ToString(),
                              wanted->ToString()));
  }
  return std::move(result.values[0]);
}

Result<NodePtr> ReadExpression(std::string_view text, std::span<const ExpressionColumn> columns,
                               const std::optional<DataType>& wanted) {
  if (!IsUtf8(text)) return Fail(ErrorCode::kInvalidArgument, "the expression is not UTF-8");
  TM_ASSIGN(const auto syntax, expression_internal::ParseExpression(text));
  TM_ASSIGN(NodePtr root, BindSyntax(syntax, text, columns));
  return AsWanted(std::move(root), text, wanted);
}

}  // namespace

Result<std::shared_ptr<const BoundExpression::Program>> BoundExpression::Program::Make(
    std::span<const StatedExpression> expressions, std::span<const ExpressionColumn> columns) {
  TM_TRY(ReadyArrow());
  auto program = std::make_shared<Program>();
  for (const StatedExpression& each : expressions) {
    auto root = ReadExpression(each.text, columns, each.wanted);
    if (!root && each.place.empty()) return std::unexpected(std::move(root).error());
    if (!root) return std::unexpected(std::move(root).error().In(each.place));
    CollectColumns(**root, program->columns, program->uses_now);
    const DataType type = (*root)->type.type;
    program->parts.push_back({each.text, each.place, *std::move(root), type, ToArrow(type)});
  }
  program->slots = expression_internal::ShareNodes(program->Roots());
  std::ranges::sort(program->columns);
  const auto repeated = std::ranges::unique(program->columns);
  program->columns.erase(repeated.begin(), repeated.end());
  for (const std::size_t column : program->columns) {
    program->column_names.push_back(columns[column].name);
    program->column_types.push_back(ToArrow(columns[column].type));
  }
  return program;
}

Result<void> BoundExpression::Program::CheckColumns(const ExpressionRows& rows) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::shared_ptr<arrow::Array>& column = rows.columns[columns[i]];
    if (column->type()->Equals(*column_types[i])) continue;
    return Fail(ErrorCode::kTypeMismatch,
                fmt::format("column {} is {} where {} was bound", column_names[i], column->type()->ToString(),
                            column_types[i]->ToString()));
  }
  return {};
}

Result<arrow::ArrayVector> BoundExpression::Program::Evaluate(const ExpressionRows& rows) const {
  TM_TRY(CheckColumns(rows));
  arrow::ArrayVector arrays;
  std::deque<ResultColumn> results;
  for (const Part& part : parts) {
    if (rows.count == 0) {
      TM_ASSIGN(arrays.emplace_back(), FromArrowResult(arrow::MakeEmptyArray(part.arrow_type)));
      continue;
    }
    auto& result = results.emplace_back(part.arrow_type, part.root->type.lane());
    if (!part.is_column()) TM_TRY(result.Reserve(rows.count));
  }
  if (rows.count == 0) return arrays;
  std::unique_ptr<Scratch> scratch = Borrow();
  Run run(rows, *scratch);
  for (std::int64_t begin = 0; begin < rows.count; begin += kRunRows) {
    const std::int64_t count = std::min(kRunRows, rows.count - begin);
    run.Begin(begin, count);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].is_column()) continue;
      run.set_text(parts[i].text);
      Vector values;
      if (!run.Evaluate(*parts[i].root, values)) {
        if (parts[i].place.empty()) return std::unexpected(std::move(*run.error()));
        return std::unexpected(std::move(*run.error()).In(parts[i].place));
      }
      TM_TRY(results[i].Append(values, begin, count));
    }
  }
  GiveBack(std::move(scratch));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].is_column()) {
      arrays.push_back(rows.columns[parts[i].root->column]->Slice(0, rows.count));
    } else {
      TM_ASSIGN(arrays.emplace_back(), results[i].Finish());
    }
  }
  return arrays;
}

BoundExpression::BoundExpression(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

Result<BoundExpression> BoundExpression::Bind(std::string_view text,
                                              std::span<const ExpressionColumn> columns,
                                              const std::optional<DataType>& wanted) {
  const std::array<StatedExpression, 1> one{{{.text = std::string(text), .wanted = wanted}}};
  TM_ASSIGN(auto program, Program::Make(one, columns));
  return BoundExpression(std::move(program));
}

const DataType& BoundExpression::type() const {
  return program_->parts.front().type;
}

const std::vector<std::size_t>& BoundExpression::columns_used() const {
  return program_->columns;
}

bool BoundExpression::uses_now() const {
  return program_->uses_now;
}

Result<std::shared_ptr<arrow::Array>> BoundExpression::Evaluate(const ExpressionRows& rows) const {
  TM_ASSIGN(auto arrays, program_->Evaluate(rows));
  return std::move(arrays.front());
}

BoundExpressions::BoundExpressions(std::shared_ptr<const BoundExpression::Program> program)
    : program_(std::move(program)) {}

Result<BoundExpressions> BoundExpressions::Bind(std::span<const StatedExpression> expressions,
                                                std::span<const ExpressionColumn> columns) {
  TM_ASSIGN(auto program, BoundExpression::Program::Make(expressions, columns));
  return BoundExpressions(std::move(program));
}

const std::vector<std::size_t>& BoundExpressions::columns_used() const {
  return program_->columns;
}

Result<arrow::ArrayVector> BoundExpressions::Evaluate(const ExpressionRows& rows) const {
  return program_->Evaluate(rows);
}

}  // namespace tidemark
