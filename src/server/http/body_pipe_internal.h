// Bodies that are used while they arrive: from the connection's thread to a worker's, bounded.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "server/http/message.h"
#include "server/http/request_parser_internal.h"

namespace tidemark::http {

/// The connection puts bytes in and stops reading while it is full; the handler takes them out.
class BodyPipe final : public BodyReader, public BodySink {
 public:
  /// `drained` is called, on the reader's thread, when a full pipe has room again.
  explicit BodyPipe(std::function<void()> drained) : drained_(std::move(drained)) {}

  void Take(std::string_view bytes) override;
  /// Whether the connection is to stop reading until `drained` is called.
  bool IsFull();
  void End();
  /// Nothing more comes; reading fails with `error` at once.
  void Break(Error error);

  Result<std::size_t> Read(std::span<std::byte> into) override;

 private:
  static constexpr std::size_t kFullBytes = 1U << 20U;

  const std::function<void()> drained_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable arrived_;
  std::string bytes_;
  std::size_t taken_ = 0;  // of bytes_
  bool ended_ = false;
  bool told_full_ = false;
  std::optional<Error> broken_;
};

}  // namespace tidemark::http
