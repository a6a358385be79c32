// Any bytes are read as an Avro file, as a manifest and as a manifest list, or refused; what was read is
// written and read again as the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/iceberg/avro_file.h"
#include "adapters/iceberg/manifest.h"
#include "base/check.h"

namespace tidemark::iceberg {
namespace {

constexpr std::size_t kRowsMax = 100'000;  // a compressed block can be many times as long as the input

void ReadAnyRows(std::string_view bytes) {
  const auto file = OpenAvroFile(bytes);
  if (!file) return;
  std::size_t rows = 0;
  static_cast<void>(ReadAvroRows(*file, [&](AvroDecoder& decoder) -> Result<void> {
    if (++rows > kRowsMax) return Fail(ErrorCode::kUnsupported, "rows enough");
    return decoder.Skip(*file->schema);
  }));
}

void ReadEntries(std::string_view bytes) {
  const ManifestFile manifest{.location = "/m.avro", .length = static_cast<std::int64_t>(bytes.size())};
  std::size_t rows = 0;
  static_cast<void>(ReadManifest(bytes, manifest, [&](ManifestEntry&& entry) -> Result<void> {
    TM_CHECK(entry.snapshot_id.has_value() && entry.sequence_number.has_value(),
             "an entry inherits what it lacks");
    return ++rows > kRowsMax ? Fail(ErrorCode::kUnsupported, "rows enough") : Result<void>();
  }));
}

void ReadList(std::string_view bytes) {
  const auto manifests = ReadManifestList(bytes);
  if (!manifests || manifests->size() > kRowsMax) return;
  // A list without counts of files gets them when it is written.
  if (!std::ranges::all_of(*manifests, &ManifestFile::has_counts)) return;
  const Snapshot snapshot{.id = 1, .sequence_number = 1};
  const auto again = ReadManifestList(WriteManifestList(*manifests, snapshot));
  TM_CHECK(again.has_value() && *again == *manifests, "a list is written and read as it was");
}

}  // namespace
}  // namespace tidemark::iceberg

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string copy(reinterpret_cast<const char*>(data), size);
  tidemark::iceberg::ReadAnyRows(copy);
  tidemark::iceberg::ReadEntries(copy);
  tidemark::iceberg::ReadList(copy);
  return 0;
}
