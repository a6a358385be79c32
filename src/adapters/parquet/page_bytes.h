// The bytes that a stored page stands for.
#pragma once

#include <arrow/buffer.h>
#include <arrow/util/compression.h>

#include <cstdint>
#include <memory>
#include <vector>

namespace tidemark {

/// Bytes of one page after the other. What a compressed page has as it is, as snappy leaves most of numbers
/// that hardly repeat, stays where it lies: such a page is never put together, and what nobody asks for is
/// not touched. Throws ParquetException for bytes that are not what their compression makes. Not thread safe.
class PageBytes {
 public:
  /// Some bytes of the page that lie together; they end where the next piece begins.
  struct Piece {
    std::int64_t begin = 0;
    const std::uint8_t* data = nullptr;
  };

  explicit PageBytes(arrow::Compression::type compression);

  /// `stored`, which must stay as it is until the next call, stands for `bytes` bytes. The first `plain`
  /// bytes of both are the same: they are not compressed.
  struct Stored {
    const std::uint8_t* data = nullptr;
    std::int64_t bytes = 0;
    std::int64_t plain = 0;
  };
  void Reset(const Stored& stored, std::int64_t bytes, bool is_compressed);

  std::int64_t size() const { return size_; }
  /// The bytes [from, from + bytes) in one piece, good until the next call.
  const std::uint8_t* View(std::int64_t from, std::int64_t bytes);
  void Copy(std::int64_t from, std::int64_t bytes, void* out) const;

  /// In order, from the first byte on; after them one that begins at the end. Empty only before Reset.
  const std::vector<Piece>& pieces() const { return pieces_; }

 private:
  bool FindPieces(const Stored& stored);
  const std::uint8_t* Repeat(std::int64_t at, std::int64_t distance, std::int64_t bytes);
  void MakeWhole();
  void PutTogether();
  void Decompress(const Stored& stored);
  const Piece* PieceOf(std::int64_t at) const;
  void CheckWithin(std::int64_t from, std::int64_t bytes) const;

  const arrow::Compression::type compression_;
  const std::unique_ptr<arrow::util::Codec> codec_;  // null without compression
  std::int64_t size_ = 0;
  std::vector<Piece> pieces_;
  std::vector<std::uint8_t> repeated_;  // what pieces repeat of earlier ones; never grows beyond its room
  std::shared_ptr<arrow::ResizableBuffer> whole_;  // a page that is put together
  std::vector<std::uint8_t> view_;
};

}  // namespace tidemark
