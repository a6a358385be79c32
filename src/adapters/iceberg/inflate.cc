#include "adapters/iceberg/inflate.h"

#include <arrow/util/compression.h>
#include <fmt/format.h>

#include <algorithm>

#include "pit/arrow_status.h"

namespace tidemark::iceberg {
namespace {

constexpr std::size_t kBytesMax = std::size_t{1} << 30;
// Writers in Python leave a part of zlib's checksum behind what they deflate.
constexpr std::size_t kRestBytesMax = 4;

std::unexpected<Error> BrokenDeflate(std::string_view what) {
  return Fail(ErrorCode::kCorruption, fmt::format("compressed bytes {}", what));
}

}  // namespace

bool IsGzip(std::string_view bytes) {
  return bytes.starts_with("\x1f\x8b");
}

Result<std::string> Inflate(std::string_view packed, PackedForm form) {
  arrow::util::GZipCodecOptions options;
  options.gzip_format =
      form == PackedForm::kGzip ? arrow::util::GZipFormat::GZIP : arrow::util::GZipFormat::DEFLATE;
  TM_ASSIGN(const auto codec, FromArrowResult(arrow::util::Codec::Create(arrow::Compression::GZIP, options)));
  TM_ASSIGN(const auto inflater, FromArrowResult(codec->MakeDecompressor()));
  std::string out;
  std::size_t used = 0;
  while (!inflater->IsFinished()) {
    const std::size_t room = std::max<std::size_t>(packed.size() * 4, std::size_t{4} << 10);
    if (out.size() > kBytesMax) return BrokenDeflate("grow larger than they can be");
    const std::size_t before = out.size();
    out.resize(before + room);
    const auto step = inflater->Decompress(static_cast<std::int64_t>(packed.size() - used),
                                           reinterpret_cast<const std::uint8_t*>(packed.data()) + used,
                                           static_cast<std::int64_t>(room),
                                           reinterpret_cast<std::uint8_t*>(out.data()) + before);
    if (!step.ok()) return BrokenDeflate("cannot be decompressed");
    out.resize(before + static_cast<std::size_t>(step->bytes_written));
    used += static_cast<std::size_t>(step->bytes_read);
    if (step->bytes_read == 0 && step->bytes_written == 0 && !inflater->IsFinished())
      return BrokenDeflate("are cut short");
  }
  const std::size_t left = packed.size() - used;
  const bool may_have_rest = form == PackedForm::kDeflate && left <= kRestBytesMax;
  if (left != 0 && !may_have_rest) return BrokenDeflate("go on after their end");
  return out;
}

}  // namespace tidemark::iceberg
