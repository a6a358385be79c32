// Nodes evaluated for a run of rows: columns read, calls made, branches chosen.
#include <arrow/builder.h>
#include <arrow/util/bitmap_ops.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "expression/node_internal.h"
#include "expression/syntax_internal.h"

namespace tidemark::expression_internal {
namespace {

template <typename T>
void FillWith(Slot& slot, Lane lane, T value) {
  std::fill_n(static_cast<T*>(DataOf(slot, lane)), kRunRows, value);
}

// The values of `from` in the rows that are taken.
template <typename T>
void TakeValues(const std::uint8_t* taken, const Vector& from, std::int64_t count, Vector& out) {
  const T* values = from.as<T>();
  T* into = out.as<T>();
  for (std::int64_t row = 0; row < count; ++row)
    into[row] = taken[row] != 0 ? values[row] : into[row];
}

void TakeLane(Lane lane, const std::uint8_t* taken, const Vector& from, std::int64_t count, Vector& out) {
  switch (lane) {
    case Lane::kBool:
      return TakeValues<std::uint8_t>(taken, from, count, out);
    case Lane::kInt32:
      return TakeValues<std::int32_t>(taken, from, count, out);
    case Lane::kInt64:
      return TakeValues<std::int64_t>(taken, from, count, out);
    case Lane::kFloat32:
      return TakeValues<float>(taken, from, count, out);
    case Lane::kFloat64:
      return TakeValues<double>(taken, from, count, out);
    case Lane::kDecimal:
      return TakeValues<Decimal>(taken, from, count, out);
    case Lane::kText:
      return TakeValues<std::string_view>(taken, from, count, out);
    case Lane::kInterval:
      return TakeValues<Interval>(taken, from, count, out);
    case Lane::kArray:
      return;
  }
}

// Rows of the branches, each of the branch that took it, put together.
arrow::Result<std::shared_ptr<arrow::Array>> Interleave(
    const std::shared_ptr<arrow::DataType>& type, const std::vector<std::shared_ptr<arrow::Array>>& branches,
    std::span<const std::int32_t> choice) {
  std::unique_ptr<arrow::ArrayBuilder> builder;
  ARROW_RETURN_NOT_OK(arrow::MakeBuilder(arrow::default_memory_pool(), type, &builder));
  ARROW_RETURN_NOT_OK(builder->Reserve(static_cast<std::int64_t>(choice.size())));
  for (std::size_t row = 0; row < choice.size(); ++row) {
    if (choice[row] < 0) {
      ARROW_RETURN_NOT_OK(builder->AppendNull());
    } else {
      const arrow::Array& branch = *branches[static_cast<std::size_t>(choice[row])];
      ARROW_RETURN_NOT_OK(builder->AppendArraySlice(*branch.data(), static_cast<std::int64_t>(row), 1));
    }
  }
  return builder->Finish();
}

// out |= rows & valid; null `valid` is ones.
void AddValid(const std::uint8_t* rows, const std::uint8_t* valid, std::int64_t count, std::uint8_t* out) {
  if (valid == nullptr) {
    for (std::int64_t row = 0; row < count; ++row)
      out[row] = static_cast<std::uint8_t>(out[row] | rows[row]);
  } else {
    for (std::int64_t row = 0; row < count; ++row)
      out[row] = static_cast<std::uint8_t>(out[row] | (rows[row] & valid[row]));
  }
}

std::int64_t CountOnes(const std::uint8_t* bytes, std::int64_t count) {
  std::int64_t ones = 0;
  for (std::int64_t row = 0; row < count; ++row)
    ones += bytes[row];
  return ones;
}

// The rows of a CASE or COALESCE on their way to a value.
class Branches {
 public:
  Branches(const Node& node, Slot& slot, const std::uint8_t* asked, std::int64_t count, Vector& out)
      : node_(node), slot_(slot), lane_(node.type.lane()), count_(count), left_(count), out_(out) {
    if (!slot.rest) slot.rest = std::make_unique<std::uint8_t[]>(kRunRows);
    if (!slot.taken) slot.taken = std::make_unique<std::uint8_t[]>(kRunRows);
    rest_ = slot.rest.get();
    taken_ = slot.taken.get();
    if (asked != nullptr) {
      std::copy_n(asked, count, rest_);
      left_ = CountOnes(rest_, count);
    } else {
      std::fill_n(rest_, count, std::uint8_t{1});
    }
    if (lane_ == Lane::kArray) choice_.assign(static_cast<std::size_t>(count), -1);
  }

  const std::uint8_t* rest() const { return rest_; }    // rows that no branch has taken
  const std::uint8_t* taken() const { return taken_; }  // rows that the present branch takes
  bool any_rest() const { return left_ > 0; }
  bool any_taken() const { return chosen_ > 0; }

  /// The rows left where the condition holds, or else where the value is one, are taken.
  void Choose(const Vector& value, bool is_condition) {
    const std::uint8_t* const holds = is_condition ? value.as<std::uint8_t>() : nullptr;
    std::copy_n(rest_, count_, taken_);
    if (value.valid != nullptr) And(value.valid);
    if (holds != nullptr) And(holds);
    for (std::int64_t row = 0; row < count_; ++row)
      rest_[row] = static_cast<std::uint8_t>(rest_[row] ^ taken_[row]);
    chosen_ = CountOnes(taken_, count_);
    left_ -= chosen_;
  }

  /// Values of the rows that are taken, or of all that are left.
  void Take(const Vector& value, bool is_rest) {
    const std::uint8_t* const rows = is_rest ? rest_ : taken_;
    if (!is_rest && chosen_ == 0) return;
    if (!has_taken_ && lane_ != Lane::kArray && (is_rest || left_ == 0)) {
      out_ = {.data = value.data, .valid = value.valid};  // one branch has all rows
      has_taken_ = true;
      return;
    }
    Begin();
    TakeLane(lane_, rows, value, count_, out_);
    AddValid(rows, value.valid, count_, out_.valid);
    if (lane_ != Lane::kArray) return;
    for (std::int64_t row = 0; row < count_; ++row) {
      if (rows[row] != 0) choice_[static_cast<std::size_t>(row)] = static_cast<std::int32_t>(arrays_.size());
    }
    arrays_.push_back(value.array);
  }

  /// Rows that no branch took are null.
  void Finish() { Begin(); }

  arrow::Result<std::shared_ptr<arrow::Array>> Together() const {
    return Interleave(node_.array_type, arrays_, choice_);
  }

 private:
  void And(const std::uint8_t* bytes) {
    for (std::int64_t row = 0; row < count_; ++row)
      taken_[row] = static_cast<std::uint8_t>(taken_[row] & bytes[row]);
  }

  /// Memory for values of more than one branch.
  void Begin() {
    if (has_taken_) return;
    has_taken_ = true;
    out_.valid = ValidOf(slot_);
    std::fill_n(out_.valid, count_, std::uint8_t{0});
    if (lane_ == Lane::kArray) return;
    out_.data = DataOf(slot_, lane_);
    std::memset(out_.data, 0, static_cast<std::size_t>(count_) * LaneBytes(lane_));
  }

  const Node& node_;
  Slot& slot_;
  const Lane lane_;
  const std::int64_t count_;
  std::int64_t left_;        // of rest_
  std::int64_t chosen_ = 0;  // of taken_
  bool has_taken_ = false;
  Vector& out_;
  std::uint8_t* rest_ = nullptr;
  std::uint8_t* taken_ = nullptr;
  std::vector<std::shared_ptr<arrow::Array>> arrays_;  // of the branches
  std::vector<std::int32_t> choice_;                   // for each row the branch that took it
};

}  // namespace

std::size_t LaneBytes(Lane lane) {
  switch (lane) {
    case Lane::kBool:
      return sizeof(std::uint8_t);
    case Lane::kInt32:
      return sizeof(std::int32_t);
    case Lane::kInt64:
      return sizeof(std::int64_t);
    case Lane::kFloat32:
      return sizeof(float);
    case Lane::kFloat64:
      return sizeof(double);
    case Lane::kDecimal:
      return sizeof(Decimal);
    case Lane::kText:
      return sizeof(std::string_view);
    case Lane::kInterval:
      return sizeof(Interval);
    case Lane::kArray:
      return 0;
  }
  TM_CHECK(false, "a lane that has no width");
}

char* TextArena::Allocate(std::size_t bytes) {
  while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t size = std::max(bytes, kBlockBytes);
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  }
  char* const at = blocks_[block_].bytes.get() + used_;
  used_ += bytes;
  return at;
}

void TextArena::Reset() {
  block_ = 0;
  used_ = 0;
}

void* DataOf(Slot& slot, Lane lane) {
  if (!slot.data) slot.data = std::make_unique<std::byte[]>(LaneBytes(lane) * kRunRows);
  return slot.data.get();
}

std::uint8_t* ValidOf(Slot& slot) {
  if (!slot.valid) slot.valid = std::make_unique<std::uint8_t[]>(kRunRows);
  return slot.valid.get();
}

void FillConstant(const Node& node, Slot& slot) {
  const Constant& value = node.constant;
  if (value.is_null) std::fill_n(ValidOf(slot), kRunRows, std::uint8_t{0});
  const Lane lane = node.type.lane();
  switch (lane) {
    case Lane::kBool:
      return FillWith(slot, lane, static_cast<std::uint8_t>(value.number));
    case Lane::kInt32:
      return FillWith(slot, lane, static_cast<std::int32_t>(value.number));
    case Lane::kInt64:
      return FillWith(slot, lane, value.number);
    case Lane::kFloat32:
      return FillWith(slot, lane, static_cast<float>(value.real));
    case Lane::kFloat64:
      return FillWith(slot, lane, value.real);
    case Lane::kDecimal:
      return FillWith(slot, lane, value.decimal);
    case Lane::kText:
      return FillWith(slot, lane, std::string_view(value.text));
    case Lane::kInterval:
      return FillWith(slot, lane, value.interval);
    case Lane::kArray:
      return;  // only a null, which Run makes
  }
}

void UnpackBits(const std::uint8_t* bits, std::int64_t offset, std::int64_t count, std::uint8_t* bytes) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kOfEach = 0x8040201008040201;  // bit i in byte i
  bits += offset / 8;
  const auto shift = static_cast<unsigned>(offset % 8);
  std::int64_t row = 0;
  for (; row + 8 <= count; row += 8, ++bits) {
    unsigned eight = static_cast<unsigned>(bits[0]) >> shift;
    if (shift != 0) eight |= static_cast<unsigned>(bits[1]) << (8 - shift);
    const std::uint64_t spread = ((eight & 0xFF) * kOnes) & kOfEach;
    const std::uint64_t ones = ((spread + 0x7F * kOnes) >> 7) & kOnes;
    std::memcpy(bytes + row, &ones, sizeof(ones));
  }
  for (unsigned bit = shift; row < count; ++row, ++bit)
    bytes[row] = static_cast<std::uint8_t>((bits[bit / 8] >> (bit % 8)) & 1);
}

void PackBits(const std::uint8_t* bytes, std::int64_t count, std::uint8_t* bits) {
  static_assert(std::endian::native == std::endian::little);
  std::int64_t row = 0;
  for (; row + 8 <= count; row += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, bytes + row, sizeof(eight));
    bits[row / 8] = static_cast<std::uint8_t>((eight * 0x0102040810204080) >> 56);
  }
  if (row == count) return;
  std::uint8_t packed = 0;
  for (int bit = 0; row + bit < count; ++bit)
    packed = static_cast<std::uint8_t>(packed | (bytes[row + bit] << bit));
  bits[row / 8] = packed;
}

void ReadArray(const arrow::Array& array, std::int64_t begin, std::int64_t count, Lane lane, Slot& slot,
               Vector& out) {
  const std::int64_t offset = array.offset() + begin;
  out.valid = nullptr;
  if (const std::uint8_t* bits = array.null_bitmap_data(); bits != nullptr && array.null_count() > 0) {
    if (arrow::internal::CountSetBits(bits, offset, count) < count) {
      out.valid = ValidOf(slot);
      UnpackBits(bits, offset, count, out.valid);
    }
  }
  switch (lane) {
    case Lane::kBool: {
      const auto& bools = static_cast<const arrow::BooleanArray&>(array);
      out.data = DataOf(slot, lane);
      if (count > 0) UnpackBits(bools.values()->data(), offset, count, out.as<std::uint8_t>());
      return;
    }
    case Lane::kText: {
      const auto& texts = static_cast<const arrow::BinaryArray&>(array);
      out.data = DataOf(slot, lane);
      for (std::int64_t row = 0; row < count; ++row)
        out.as<std::string_view>()[row] = texts.GetView(begin + row);
      return;
    }
    case Lane::kDecimal: {  // whose bytes need not lie where such numbers may
      const auto& decimals = static_cast<const arrow::FixedSizeBinaryArray&>(array);
      out.data = DataOf(slot, lane);
      if (count > 0) {
        const std::uint8_t* const from = decimals.raw_values() + begin * std::int64_t{sizeof(Decimal)};
        std::memcpy(out.data, from, static_cast<std::size_t>(count) * sizeof(Decimal));
      }
      return;
    }
    case Lane::kArray:
    case Lane::kInterval:
      return;
    default: {
      // In place: kernels only read what they are given.
      const auto& values = static_cast<const arrow::PrimitiveArray&>(array);
      const auto* bytes = values.values() ? values.values()->data() : nullptr;
      out.data = const_cast<std::uint8_t*>(bytes) + offset * static_cast<std::int64_t>(LaneBytes(lane));
      return;
    }
  }
}

void NumberSlots(Node& node, std::size_t& next) {
  node.slot = next++;
  for (const NodePtr& arg : node.args)
    NumberSlots(*arg, next);
}

namespace {

void FillConstants(const Node& node, Scratch& scratch) {
  if (node.kind == Node::Kind::kConstant) FillConstant(node, scratch.slots[node.slot]);
  for (const NodePtr& arg : node.args)
    FillConstants(*arg, scratch);
}

}  // namespace

Scratch MakeScratch(std::span<Node* const> roots, std::size_t slots) {
  Scratch scratch;
  scratch.slots.resize(slots);
  for (const Node* root : roots)
    FillConstants(*root, scratch);
  return scratch;
}

bool Call::Counts(std::int64_t row) const {
  if (out.valid != nullptr && out.valid[row] == 0) return false;
  return run.active() == nullptr || run.active()[row] != 0;
}

std::uint8_t* Call::Validity() const {
  if (out.valid == nullptr) {
    out.valid = ValidOf(run.slot(node));
    std::fill_n(out.valid, count, std::uint8_t{1});
  }
  return out.valid;
}

void Call::Fail(std::int64_t row, const std::string& problem) const {
  Error error = FailAt(ErrorCode::kInvalidData, run.text(), node.at, problem).error();
  run.Fail(std::move(error).In(fmt::format("row {}", run.first_row() + row)));
}

char* Call::Text(std::size_t bytes) const {
  return run.slot(node).texts.Allocate(bytes);
}

void Run::Begin(std::int64_t begin, std::int64_t count) {
  begin_ = begin;
  count_ = count;
  active_ = nullptr;
}

bool Run::Evaluate(const Node& node, Vector& out) {
  if (!EvaluateNode(node, out)) return false;
  if (node.is_shared) slot(node).shared = out;
  return true;
}

bool Run::EvaluateNode(const Node& node, Vector& out) {
  switch (node.kind) {
    case Node::Kind::kColumn:
      ReadColumn(node, out);
      return true;
    case Node::Kind::kNow:
      ReadNow(node, out);
      return true;
    case Node::Kind::kConstant:
      out = {.data = slot(node).data.get(), .valid = slot(node).valid.get()};
      if (node.type.lane() == Lane::kArray) {
        auto nulls = arrow::MakeArrayOfNull(node.array_type, count_);
        if (!nulls.ok()) return Fail({ErrorCode::kOutOfSpace, nulls.status().ToString(), {}}), false;
        out.array = *nulls;
      }
      return true;
    case Node::Kind::kCall:
      return EvaluateCall(node, out);
    case Node::Kind::kCase:
    case Node::Kind::kCoalesce:
      return EvaluateChoice(node, out);
    case Node::Kind::kShared:
      out = slot(node).shared;
      return true;
  }
  TM_CHECK(false, "a kind of node that cannot be evaluated");
}

void Run::ReadColumn(const Node& node, Vector& out) {
  const std::shared_ptr<arrow::Array>& column = rows_.columns[node.column];
  const Lane lane = node.type.lane();
  if (lane == Lane::kText || lane == Lane::kArray) out.array = column->Slice(begin_, count_);
  ReadArray(*column, begin_, count_, lane, slot(node), out);
}

void Run::ReadNow(const Node& node, Vector& out) {
  out.valid = nullptr;
  out.data = DataOf(slot(node), Lane::kInt64);
  if (rows_.now_per_row != nullptr) {
    std::memcpy(out.data, rows_.now_per_row->raw_values() + begin_, static_cast<std::size_t>(count_) * 8);
  } else {
    std::fill_n(out.as<std::int64_t>(), count_, rows_.now_us);
  }
}

bool Run::EvaluateCall(const Node& node, Vector& out) {
  constexpr std::size_t kFew = 4;
  std::array<Vector, kFew> few;
  std::vector<Vector> many(node.args.size() > kFew ? node.args.size() : 0);
  const std::span<Vector> args = many.empty() ? std::span(few).first(node.args.size()) : std::span(many);
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (!Evaluate(*node.args[i], args[i])) return false;
  }
  Slot& own = slot(node);
  own.texts.Reset();
  const Lane lane = node.type.lane();
  out.data = lane == Lane::kArray ? nullptr : DataOf(own, lane);
  out.valid = nullptr;
  for (const Vector& arg : args) {
    if (!node.is_strict || arg.valid == nullptr) continue;
    if (out.valid == nullptr) {
      out.valid = ValidOf(own);
      std::copy_n(arg.valid, count_, out.valid);
    } else {
      for (std::int64_t row = 0; row < count_; ++row)
        out.valid[row] &= arg.valid[row];
    }
  }
  Call call{.node = node, .run = *this, .count = count_, .args = args, .out = out};
  node.kernel(call);
  return !error_;
}

// Every branch is evaluated whole, as far as any row takes it; in rows that do not take it an error is none.
bool Run::EvaluateChoice(const Node& node, Vector& out) {
  const std::uint8_t* const outer = active_;
  Branches branches(node, slot(node), outer, count_, out);
  const bool is_case = node.kind == Node::Kind::kCase;
  for (std::size_t i = 0; i < node.args.size(); ++i) {
    const bool is_condition = is_case && i % 2 == 0 && i + 1 < node.args.size();
    const bool is_of_condition = is_case && i % 2 == 1;
    active_ = is_of_condition ? branches.taken() : branches.rest();
    if (!(is_of_condition ? branches.any_taken() : branches.any_rest())) {
      if (is_condition) ++i;
      continue;
    }
    Vector value;
    if (!Evaluate(*node.args[i], value)) return false;
    if (is_condition || !is_case) branches.Choose(value, is_condition);
    if (!is_condition) branches.Take(value, is_case && i % 2 == 0);
  }
  branches.Finish();
  active_ = outer;
  if (node.type.lane() != Lane::kArray) return true;
  auto together = branches.Together();
  if (!together.ok()) return Fail({ErrorCode::kOutOfSpace, together.status().ToString(), {}}), false;
  out.array = *std::move(together);
  return true;
}

}  // namespace tidemark::expression_internal
