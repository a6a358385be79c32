// Any bytes are read as the body of a request for features and as a frame that is written, or refused with a
// status of the 400s and a body that is JSON. A body that is accepted with care can be read in its plain
// spelling.
#include <simdjson.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "server/feast/body_shape.h"
#include "server/feast/frame.h"
#include "server/feast/online_request.h"

namespace {

using namespace tidemark;          // NOLINT(google-build-using-namespace)
using namespace tidemark::server;  // NOLINT(google-build-using-namespace)

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kRowsMax = 100;

void CheckRefusal(const feast::Refusal& refusal) {
  TM_CHECK(refusal.status >= 400 && refusal.status < 500, "what a client sends is the client's fault");
  simdjson::dom::parser parser;
  TM_CHECK(parser.parse(simdjson::padded_string(refusal.body)).error() == simdjson::SUCCESS,
           "a refusal is JSON");
}

DataType TypeOf(TypeKind kind) {
  DataType type;
  type.kind = kind;
  return type;
}

std::unique_ptr<const feast::PreparedLookup> MakeLookup() {
  auto lookup = std::make_unique<feast::PreparedLookup>();
  for (const auto& [name, kind] : {std::pair{"a", TypeKind::kInt64}, std::pair{"b", TypeKind::kString},
                                   std::pair{"c", TypeKind::kBool}, std::pair{"d", TypeKind::kTimestamp},
                                   std::pair{"e", TypeKind::kBinary}, std::pair{"f", TypeKind::kInt32}}) {
    lookup->keys.push_back({.name = name, .type = TypeOf(kind), .entity = {}});
  }
  return lookup;
}

void ReadRequest(feast::OnlineRequestReader& reader, const feast::PreparedLookup& lookup) {
  feast::Entities entities;
  const auto read = reader.ReadEntities(lookup, kRowsMax, entities);
  if (!read) return CheckRefusal(read.error());
  if (*read == feast::OnlineRequestReader::Read::kMalformed) return;
  TM_CHECK(entities.rows <= kRowsMax, "no more rows than are allowed");
  for (const auto& column : entities.columns)
    TM_CHECK(column.size() == entities.rows, "columns are as long as each other");
}

KnownView MakeView() {
  KnownView view;
  view.definition.name = "view";
  view.definition.table.timestamp_field = "event_timestamp";
  view.join_keys.push_back({.name = "key", .type = TypeOf(TypeKind::kInt64)});
  const auto add = [&](std::string name, DataType type) {
    view.write_columns.push_back({.name = std::move(name), .type = std::move(type)});
  };
  add("key", TypeOf(TypeKind::kInt64));
  add("event_timestamp", TypeOf(TypeKind::kTimestamp));
  add("text", TypeOf(TypeKind::kString));
  add("list", DataType::List(TypeOf(TypeKind::kFloat32)));
  add("map", DataType::Map(TypeOf(TypeKind::kInt32), DataType::Decimal(10, 2)));
  add("time", TypeOf(TypeKind::kTimestamp));
  return view;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto lookup = MakeLookup();
  static const KnownView view = MakeView();
  static feast::OnlineRequestReader reader;
  static feast::BodyReader tree;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  if (reader.Open(body)) ReadRequest(reader, *lookup);
  const auto plain = feast::Normalize(body, kDepthMax);
  if (plain) {
    TM_CHECK(reader.Open(*plain), "a plain spelling can be read");
    ReadRequest(reader, *lookup);
  } else {
    CheckRefusal(plain.error());
  }
  const auto read = tree.Read(body, kDepthMax);
  simdjson::dom::object frame;
  if (!read || read->get(frame) != simdjson::SUCCESS) return 0;
  const std::array<const KnownView*, 1> views{&view};
  const auto rows = feast::ReadFrame(frame, views, kRowsMax);
  if (!rows) {
    CheckRefusal(rows.error());
  } else {
    TM_CHECK((*rows)->ValidateFull().ok(), "rows are whole");
  }
  return 0;
}
