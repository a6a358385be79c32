// Boost.Beast's parser, fed from a connection of ours.
#include "remote/answer_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tidemark::remote {
namespace {

namespace beast_http = boost::beast::http;
using Code = boost::system::error_code;
using Kind = NetworkError::Kind;

constexpr std::size_t kReadBytes = 64UL << 10U;
constexpr std::uint32_t kHeadBytesMax = 64U << 10U;
constexpr int kFirstFinalStatus = 200;

std::unexpected<NetworkError> NotHttp(const Code& code) {
  return std::unexpected(NetworkError{Kind::kProtocol, code.message()});
}

}  // namespace

struct AnswerReader::Impl {
  explicit Impl(Connection& to_server) : connection(to_server), bytes(kReadBytes) { Begin(); }

  void Begin() {
    parser.emplace();
    parser->header_limit(kHeadBytesMax);
    parser->body_limit(boost::none);
    parser->eager(false);
  }

  boost::asio::const_buffer unread() const { return {bytes.data() + begin, end - begin}; }

  /// More bytes behind those that are not parsed yet; 0 at the end.
  NetworkResult<std::size_t> Fill(const Waiting& waiting) {
    if (begin > 0) {
      std::copy(bytes.begin() + static_cast<std::ptrdiff_t>(begin),
                bytes.begin() + static_cast<std::ptrdiff_t>(end), bytes.begin());
      end -= begin;
      begin = 0;
    }
    if (end == bytes.size()) {
      return std::unexpected(NetworkError{Kind::kProtocol, "a part of the answer's head is too long"});
    }
    auto got = connection.Read(std::span(bytes).subspan(end), waiting);
    if (got) end += *got;
    has_begun = has_begun || end > 0;
    return got;
  }

  /// What the body's parser makes of what was read, into `into`; how many bytes it wrote there.
  NetworkResult<std::size_t> Parse(std::span<char> into) {
    auto& body = parser->get().body();
    body.data = into.data();
    body.size = into.size();
    body.more = true;
    Code code;
    parser->eager(true);
    begin += parser->put(unread(), code);
    if (code && code != beast_http::error::need_buffer && code != beast_http::error::need_more) {
      return NotHttp(code);
    }
    return into.size() - body.size;
  }

  Connection& connection;
  std::vector<char> bytes;
  std::size_t begin = 0;  // of those that are not parsed yet
  std::size_t end = 0;
  bool has_begun = false;
  std::optional<beast_http::response_parser<beast_http::buffer_body>> parser;
};

AnswerReader::AnswerReader(Connection& connection) : impl_(std::make_unique<Impl>(connection)) {}
AnswerReader::~AnswerReader() = default;

NetworkResult<void> AnswerReader::ReadHead(const Waiting& waiting) {
  while (true) {
    const auto got = impl_->Fill(waiting);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) {
      return std::unexpected(NetworkError{Kind::kBroken, "the connection was closed without an answer"});
    }
    while (impl_->begin < impl_->end) {
      Code code;
      impl_->begin += impl_->parser->put(impl_->unread(), code);
      if (code == beast_http::error::need_more) break;
      if (code) return NotHttp(code);
      if (!impl_->parser->is_header_done()) continue;
      if (status() >= kFirstFinalStatus) return {};
      impl_->Begin();
    }
  }
}

int AnswerReader::status() const {
  return static_cast<int>(impl_->parser->get().result_int());
}

std::string_view AnswerReader::Header(std::string_view name) const {
  const auto found = impl_->parser->get().find(boost::beast::string_view(name.data(), name.size()));
  if (found == impl_->parser->get().end()) return {};
  return {found->value().data(), found->value().size()};
}

NetworkResult<std::size_t> AnswerReader::ReadBody(std::span<char> into, const Waiting& waiting) {
  while (!impl_->parser->is_done()) {
    if (impl_->begin < impl_->end) {
      auto parsed = impl_->Parse(into);
      if (!parsed || *parsed > 0) return parsed;
      if (impl_->parser->is_done()) break;
    }
    const auto got = impl_->Fill(waiting);
    if (!got) return std::unexpected(got.error());
    if (*got > 0) continue;
    Code code;
    impl_->parser->put_eof(code);
    if (code) {
      return std::unexpected(
          NetworkError{Kind::kBroken, "the connection was closed before the answer's end"});
    }
  }
  return 0;
}

bool AnswerReader::has_begun() const {
  return impl_->has_begun;
}

bool AnswerReader::is_reusable() const {
  return impl_->parser->is_done() && impl_->begin == impl_->end && impl_->parser->get().keep_alive();
}

}  // namespace tidemark::remote
