// The parser's callbacks, and what they make of the head of a request.
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

#include "server/http/request_parser_internal.h"

namespace tidemark::http {
namespace {

constexpr int kEmptyLinesMax = 4;  // in front of a request

namespace beast = boost::beast;
using ErrorCodeOfBeast = beast::error_code;
using beast::string_view;

Method MethodOf(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::kGet;
    case beast::http::verb::head:
      return Method::kHead;
    case beast::http::verb::put:
      return Method::kPut;
    case beast::http::verb::post:
      return Method::kPost;
    case beast::http::verb::delete_:
      return Method::kDelete;
    case beast::http::verb::patch:
      return Method::kPatch;
    case beast::http::verb::options:
      return Method::kOptions;
    default:
      return Method::kOther;
  }
}

/// True for an error that only says that this call has come to an end of something.
bool NeedsMore(const ErrorCodeOfBeast& code) {
  return code == beast::http::error::need_more;
}

int StatusOf(const ErrorCodeOfBeast& code) {
  if (code == beast::http::error::header_limit) return 431;
  return 400;
}

/// Where the host begins in a target such as "http://host/path", which proxies are asked for; 0 if it is
/// none.
std::size_t AuthorityOf(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() > scheme.size() && beast::iequals(target.substr(0, scheme.size()), scheme)) {
      return scheme.size();
    }
  }
  return 0;
}

char Lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

struct RequestParser::Impl {
  class Parser final : public beast::http::basic_parser<true> {
   public:
    explicit Parser(RequestParser& owner) : owner_(owner) {}
    BodySink* sink = nullptr;

   private:
    void on_request_impl(beast::http::verb verb, string_view /*name*/, string_view target, int version,
                         ErrorCodeOfBeast& code) override {
      code = {};
      owner_.method_ = MethodOf(verb);
      owner_.is_http_1_0_ = version == 10;
      owner_.text_.assign(target.data(), target.size());
      owner_.target_end_ = target.size();
    }
    void on_response_impl(int /*status*/, string_view /*reason*/, int /*version*/,
                          ErrorCodeOfBeast& code) override {
      code = {};
    }
    void on_field_impl(beast::http::field field, string_view name, string_view value,
                       ErrorCodeOfBeast& code) override {
      code = {};
      if (head_is_done_) return;  // behind the last chunk: nothing here reads those
      for (const char c : name)
        owner_.text_.push_back(Lower(c));
      const std::size_t name_end = owner_.text_.size();
      owner_.text_.append(value.data(), value.size());
      owner_.fields_.push_back({.name = name_end, .value = owner_.text_.size()});
      if (field == beast::http::field::expect && beast::iequals(value, "100-continue")) {
        owner_.expects_continue_ = true;
      }
    }
    void on_header_impl(ErrorCodeOfBeast& code) override {
      code = {};
      head_is_done_ = true;
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                           ErrorCodeOfBeast& code) override {
      code = {};
    }
    std::size_t on_body_impl(string_view body, ErrorCodeOfBeast& code) override { return Take(body, code); }
    void on_chunk_header_impl(std::uint64_t size, string_view /*extensions*/,
                              ErrorCodeOfBeast& code) override {
      code = {};
      // One that cannot be taken is refused before it is sent.
      if (size > owner_.body_bytes_max_ - std::min(owner_.body_bytes_, owner_.body_bytes_max_)) {
        code = beast::http::error::body_limit;
      }
    }
    std::size_t on_chunk_body_impl(std::uint64_t /*remain*/, string_view body,
                                   ErrorCodeOfBeast& code) override {
      return Take(body, code);
    }
    void on_finish_impl(ErrorCodeOfBeast& code) override { code = {}; }

    std::size_t Take(string_view body, ErrorCodeOfBeast& code) {
      owner_.body_bytes_ += body.size();
      if (owner_.body_bytes_ > owner_.body_bytes_max_) {
        code = beast::http::error::body_limit;
        return 0;
      }
      code = {};
      sink->Take({body.data(), body.size()});
      return body.size();
    }

    RequestParser& owner_;
    bool head_is_done_ = false;
  };

  std::optional<Parser> parser;
};

RequestParser::RequestParser(std::size_t header_bytes_max)
    : header_bytes_max_(header_bytes_max), impl_(std::make_unique<Impl>()) {
  Reset();
}

RequestParser::~RequestParser() = default;

void RequestParser::Reset() {
  impl_->parser.emplace(*this);
  impl_->parser->header_limit(static_cast<std::uint32_t>(header_bytes_max_));
  impl_->parser->body_limit(boost::none);  // kept here, so that each route can have its own
  state_ = State::kHead;
  begun_ = keep_alive_ = expects_continue_ = false;
  content_length_.reset();
  body_bytes_ = body_bytes_max_ = 0;
  empty_lines_ = 0;
  text_.clear();
  fields_.clear();
}

void RequestParser::Break(int status, std::string problem) {
  state_ = State::kBroken;
  status_ = status;
  problem_ = std::move(problem);
  keep_alive_ = false;
}

RequestParser::State RequestParser::Feed(std::string_view bytes, std::size_t& used, BodySink& sink) {
  used = 0;
  impl_->parser->sink = &sink;
  // Some clients send an empty line behind a body; RFC 9112 asks to pass over it (section 2.2).
  while (!begun_ && empty_lines_ < kEmptyLinesMax && bytes.substr(used).starts_with("\r\n")) {
    used += 2;
    ++empty_lines_;
  }
  if (!begun_ && bytes.substr(used) == "\r") return state_;
  begun_ = begun_ || used < bytes.size();
  while (used < bytes.size() && (state_ == State::kHead || state_ == State::kBody)) {
    ErrorCodeOfBeast code;
    used += impl_->parser->put(boost::asio::const_buffer(bytes.data() + used, bytes.size() - used), code);
    if (code && !NeedsMore(code)) {
      if (code == beast::http::error::body_limit) {
        Break(413, fmt::format("the body is longer than {} bytes, which is the limit", body_bytes_max_));
      } else {
        Break(StatusOf(code), fmt::format("the request is not valid HTTP: {}", code.message()));
      }
      return state_;
    }
    if (state_ == State::kHead && impl_->parser->is_header_done()) {
      FinishHead();
      return state_;
    }
    if (impl_->parser->is_done()) state_ = State::kDone;
    if (code) break;
  }
  return state_;
}

// Where a body ends must be beyond doubt, or what one client sends in it would be taken for the request of
// another that shares the connection behind a proxy: RFC 9112, section 6.
std::string RequestParser::ProblemOfFields() const {
  int hosts = 0;
  int encodings = 0;
  std::size_t begin = target_end_;
  for (const FieldEnds& field : fields_) {
    const std::string_view name = std::string_view(text_).substr(begin, field.name - begin);
    const std::string_view value = std::string_view(text_).substr(field.name, field.value - field.name);
    begin = field.value;
    if (name == "host") ++hosts;
    if (name != "transfer-encoding") continue;
    if (is_http_1_0_) return "HTTP/1.0 has no Transfer-Encoding";
    if (++encodings > 1 || !beast::iequals(value, "chunked")) {
      return "a Transfer-Encoding other than chunked is not taken";
    }
  }
  if (hosts > 1) return "the request has more than one Host header";
  if (hosts == 0 && !is_http_1_0_) return "the request has no Host header, which HTTP/1.1 asks for";
  return {};
}

void RequestParser::FinishHead() {
  keep_alive_ = impl_->parser->keep_alive();
  if (const auto length = impl_->parser->content_length()) content_length_ = *length;
  if (method_ == Method::kOther) return Break(400, "the method is not one that is known here");
  if (std::string problem = ProblemOfFields(); !problem.empty()) return Break(400, std::move(problem));
  const std::string_view target = std::string_view(text_).substr(0, target_end_);
  if (!target.starts_with('/') && AuthorityOf(target) == 0) {
    return Break(400, "the request's target is not a path");
  }
  state_ = impl_->parser->is_done() ? State::kDone : State::kBody;
}

void RequestParser::Fill(Request& request) {
  const std::string_view text = text_;
  request.method = method_;
  request.target = text.substr(0, target_end_);
  if (!request.target.starts_with('/')) {
    const std::size_t end = request.target.find_first_of("/?", AuthorityOf(request.target));
    request.target = end == std::string_view::npos ? std::string_view("/") : request.target.substr(end);
  }
  const std::size_t question = request.target.find('?');
  request.path = question == 0 ? std::string_view("/") : request.target.substr(0, question);
  request.query =
      question == std::string_view::npos ? std::string_view{} : request.target.substr(question + 1);
  request.headers_.clear();
  std::size_t begin = target_end_;
  for (const FieldEnds& field : fields_) {
    request.headers_.push_back({.name = text.substr(begin, field.name - begin),
                                .value = text.substr(field.name, field.value - field.name)});
    begin = field.value;
  }
}

}  // namespace tidemark::http
