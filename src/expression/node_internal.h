// The nodes of a bound expression: what to call for a run of rows.
#pragma once

#include <arrow/type.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "expression/expression.h"
#include "expression/vector_internal.h"

namespace tidemark::expression_internal {

struct Node;
class Run;

/// What a kernel gets. `out` has memory for `count` values and for their validity.
struct Call {
  const Node& node;
  Run& run;
  std::int64_t count;
  std::span<const Vector> args;
  Vector& out;

  template <typename T>
  const T* arg(std::size_t place) const {
    return args[place].as<T>();
  }
  /// True if an error in this row counts: the row is asked for, and is not null by its arguments.
  bool Counts(std::int64_t row) const;
  /// `out.valid` as bytes that may be written: made of ones if nothing was null.
  std::uint8_t* Validity() const;
  /// Ends the evaluation with an error of kInvalidData that names the row and the character.
  void Fail(std::int64_t row, const std::string& problem) const;
  char* Text(std::size_t bytes) const;
};

using Kernel = void (*)(Call&);

/// A value that stands in the expression.
struct Constant {
  bool is_null = false;
  std::int64_t number = 0;  // bool, int32, int64, date, timestamp
  double real = 0;          // float32, float64
  Decimal decimal = 0;
  std::string text = {};  // string, binary; of a number with a point its digits
  Interval interval = {};
};

/// What a number in the text is, as long as no other type has been asked of it.
enum class Literal : std::uint8_t { kNo, kInteger, kPoint, kText };

struct Node {
  enum class Kind : std::uint8_t {
    kColumn,
    kConstant,
    kNow,
    kCall,
    kCase,      // args as Syntax has them
    kCoalesce,  // the first that is not null
    kShared,    // the values of another node, whose slot it has, and which comes before it
  };
  Kind kind = Kind::kCall;
  ValueType type;
  std::size_t at = 0;
  std::size_t slot = 0;
  bool is_shared = false;  // others take its values
  std::vector<std::unique_ptr<Node>> args = {};

  Kernel kernel = nullptr;
  bool is_strict = true;    // null if any argument is: the kernel need not look
  std::string name = {};    // of the function, for errors
  std::int64_t option = 0;  // what the kernel was told by the binder: a part of a time, a count of places
  std::size_t column = 0;
  Constant constant = {};
  std::shared_ptr<arrow::DataType> array_type = {};  // of the lane kArray
  Literal literal = Literal::kNo;
};

using NodePtr = std::unique_ptr<Node>;

/// Memory for one evaluation at a time: a slot for each node.
struct Scratch {
  std::vector<Slot> slots;
};

/// Evaluates nodes for rows [begin, begin + count), with count at most kRunRows.
class Run {
 public:
  Run(const ExpressionRows& rows, Scratch& scratch) : rows_(rows), scratch_(scratch) {}

  void Begin(std::int64_t begin, std::int64_t count);
  /// Whose nodes come next: for errors.
  void set_text(std::string_view text) { text_ = text; }
  /// False after an error.
  bool Evaluate(const Node& node, Vector& out);

  std::int64_t first_row() const { return rows_.first_row + begin_; }  // as messages number it
  std::int64_t count() const { return count_; }
  const std::uint8_t* active() const { return active_; }  // rows that are asked for; null: all
  Slot& slot(const Node& node) { return scratch_.slots[node.slot]; }
  std::string_view text() const { return text_; }
  void Fail(Error error) {
    if (!error_) error_ = std::move(error);
  }
  std::optional<Error>& error() { return error_; }

 private:
  bool EvaluateNode(const Node& node, Vector& out);
  bool EvaluateCall(const Node& node, Vector& out);
  bool EvaluateChoice(const Node& node, Vector& out);
  void ReadColumn(const Node& node, Vector& out);
  void ReadNow(const Node& node, Vector& out);

  const ExpressionRows& rows_;
  Scratch& scratch_;
  std::string_view text_;
  std::int64_t begin_ = 0;
  std::int64_t count_ = 0;
  const std::uint8_t* active_ = nullptr;
  std::optional<Error> error_;
};

/// Memory for the node's values, made when it is first asked for.
void* DataOf(Slot& slot, Lane lane);
std::uint8_t* ValidOf(Slot& slot);
/// Every value of a slot is the constant: done once.
void FillConstant(const Node& node, Slot& slot);
/// Rows [begin, begin + count) of `array` (of the node's type) as values; texts are views into it.
void ReadArray(const arrow::Array& array, std::int64_t begin, std::int64_t count, Lane lane, Slot& slot,
               Vector& out);

/// Numbers the slots of a tree from `next` on.
void NumberSlots(Node& node, std::size_t& next);
/// The same of trees that are evaluated one after the other, each with the same rows: of nodes that are the
/// same, one is left, and the others take its values. How many slots there are.
std::size_t ShareNodes(std::span<Node* const> roots);
/// Scratch for trees whose slots were numbered.
Scratch MakeScratch(std::span<Node* const> roots, std::size_t slots);

}  // namespace tidemark::expression_internal
