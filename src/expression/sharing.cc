// Finds nodes that are the same, so that their values are computed once.
//
// A node may take the values of an earlier one if that is evaluated for at least the same rows, and surely
// so: what a CASE or COALESCE evaluates for some rows only is a place of its own, within the place of the
// whole.
//
//   CASE WHEN a THEN b WHEN c THEN d ELSE e END       place of a: the CASE's own; of b and c: within it; of d
//                                                     and e: within that of c, as c was evaluated for all
//                                                     rows that come to them
#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>

#include "expression/node_internal.h"

namespace tidemark::expression_internal {
namespace {

/// Numbers that nodes have in common with those that are the same, whatever their place.
class NodeIdentities {
 public:
  void Add(const Node& node) {
    std::string text = Describe(node);
    for (const NodePtr& arg : node.args) {
      Add(*arg);
      text += fmt::format(" {}", ids_.at(arg.get()));
    }
    const auto known = known_.emplace(std::move(text), known_.size()).first;
    ids_.emplace(&node, known->second);
  }

  std::size_t Of(const Node& node) const { return ids_.at(&node); }

 private:
  static std::string Describe(const Node& node) {
    const Constant& value = node.constant;
    return fmt::format("{} {} {} {} {} {} {} {}: {} {} {} {} {} {} {} {} {} {}:", static_cast<int>(node.kind),
                       static_cast<int>(node.type.kind), node.type.ToString(),
                       reinterpret_cast<std::uintptr_t>(node.kernel), node.is_strict, node.name, node.option,
                       node.column, value.is_null, value.number, std::bit_cast<std::uint64_t>(value.real),
                       static_cast<std::int64_t>(value.decimal >> 64),
                       static_cast<std::uint64_t>(value.decimal), value.interval.months, value.interval.days,
                       value.interval.us, value.text.size(), value.text);
  }

  std::unordered_map<std::string, std::size_t> known_;
  std::unordered_map<const Node*, std::size_t> ids_;
};

class Sharing {
 public:
  std::size_t Run(std::span<Node* const> roots) {
    for (const Node* root : roots)
      identities_.Add(*root);
    for (Node* root : roots)
      Visit(*root, 0);
    return slots_;
  }

 private:
  /// How many places around its own a node looks at; an expression may have thousands.
  static constexpr int kPlacesMax = 64;

  Node* Earlier(std::size_t identity, std::size_t place) const {
    for (int i = 0; i < kPlacesMax; ++i) {
      if (const auto found = first_.find({identity, place}); found != first_.end()) return found->second;
      if (place == 0) return nullptr;
      place = outer_[place];
    }
    return nullptr;
  }

  std::size_t Within(std::size_t place) {
    outer_.push_back(place);
    return outer_.size() - 1;
  }

  void Visit(Node& node, std::size_t place) {
    if (node.kind != Node::Kind::kConstant) {  // whose values are there already
      const std::size_t identity = identities_.Of(node);
      if (Node* const earlier = Earlier(identity, place)) {
        earlier->is_shared = true;
        node.kind = Node::Kind::kShared;
        node.slot = earlier->slot;
        node.args.clear();
        return;
      }
      first_.emplace(std::pair(identity, place), &node);
    }
    node.slot = slots_++;
    const bool is_case = node.kind == Node::Kind::kCase;
    if (!is_case && node.kind != Node::Kind::kCoalesce) {
      for (const NodePtr& arg : node.args)
        Visit(*arg, place);
      return;
    }
    std::size_t rest = place;  // of the rows that come to the present condition or value
    for (std::size_t i = 0; i < node.args.size(); ++i) {
      const bool is_of_condition = is_case && i % 2 == 1;
      if (i > 0 && !is_of_condition) rest = Within(rest);
      Visit(*node.args[i], is_of_condition ? Within(rest) : rest);
    }
  }

  NodeIdentities identities_;
  std::map<std::pair<std::size_t, std::size_t>, Node*> first_;  // identity and place
  std::vector<std::size_t> outer_{0};                           // of each place the one around it
  std::size_t slots_ = 0;
};

}  // namespace

std::size_t ShareNodes(std::span<Node* const> roots) {
  return Sharing().Run(roots);
}

}  // namespace tidemark::expression_internal
