// Requests in, answers out: the state machine of a connection.
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <cstring>
#include <exception>
#include <iterator>
#include <random>

#include "base/check.h"
#include "server/http/connection_internal.h"

namespace tidemark::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::string_view_literals::operator""sv;

constexpr std::size_t kFirstBufferBytes = 4UL << 10U;
constexpr std::size_t kBodyBufferBytes = 128UL << 10U;
constexpr std::size_t kUnheldBytes = 16UL << 10U;        // small bodies and answers are not counted
constexpr std::size_t kKeptBodyBytes = 256UL << 10U;     // memory that a connection keeps between requests
constexpr std::size_t kSentTogetherBytes = 32UL << 10U;  // an answer that is larger is sent at once
constexpr int kClientGone =
    499;  // as the access log says of a request whose client did not wait for the answer
constexpr milliseconds kLinger{2'000};
constexpr milliseconds kDrainIdle{100};

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 499:
      return "Client Closed Request";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

/// Random to other processes, and counted up within this one.
std::string MakeRequestId() {
  static const std::uint64_t random = [] {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32U) | device();
  }();
  static std::atomic<std::uint64_t> count = 0;
  const std::uint64_t number = count.fetch_add(1, std::memory_order_relaxed);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id = "00000000-0000-4000-8000-000000000000";  // a version 4 UUID in form
  const auto put = [&id](std::size_t begin, std::size_t digits, std::uint64_t value) {
    for (std::size_t i = begin + digits; i-- > begin; value >>= 4U)
      id[i] = kDigits[value & 0xFU];
  };
  put(0, 8, random >> 32U);
  put(9, 4, random >> 16U);
  put(15, 3, random >> 4U);
  put(20, 3, number >> 48U);
  put(24, 12, number);
  return id;
}

bool IsUsableId(std::string_view id) {
  const auto is_visible = [](char c) { return c > ' ' && c < 127 && c != '"' && c != '\\'; };
  return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, is_visible);
}

/// Handlers do not throw; what libraries below them may (no memory) ends the request, not the server.
Result<void> RunHandler(const Handler& handler, const Request& request, Response& response) {
  try {
    return handler(request, response);
  } catch (const std::exception& thrown) {
    return Fail(ErrorCode::kInternal, fmt::format("the request could not be answered: {}", thrown.what()));
  }
}

int StatusOf(const Error& error) {
  return Describe(error.code).http_status;
}

}  // namespace

// Writes a streamed answer from a worker's thread: pieces go to the loop, which writes them in order.
class Connection::StreamWriter final : public BodyWriter {
 public:
  StreamWriter(Connection& connection, std::string date) : connection_(connection), date_(std::move(date)) {}

  Result<void> Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::size_t count = std::min(bytes.size(), kPieceBytes - piece_.size());
      piece_.append(bytes.substr(0, count));
      bytes.remove_prefix(count);
      if (piece_.size() == kPieceBytes) TM_TRY(Send());
    }
    return {};
  }

  /// Sends what is left, with the mark that the body is whole.
  Result<void> Finish() {
    if (!piece_.empty() || !has_begun_) TM_TRY(Send());
    if (connection_.is_chunked_) TM_TRY(Post("0\r\n\r\n", true));
    return {};
  }
  bool has_begun() const { return has_begun_; }

 private:
  static constexpr std::size_t kPieceBytes = 64UL << 10U;
  static constexpr std::size_t kQueuedBytesMax = 1UL << 20U;

  Result<void> Send() {
    std::string out;
    if (!has_begun_) {
      has_begun_ = true;
      connection_.is_chunked_ = !connection_.parser_.is_http_1_0();
      if (!connection_.is_chunked_) connection_.must_close_ = true;
      connection_.AppendHead(out, connection_.response_, std::nullopt, date_);
    }
    const bool has_body = connection_.request_.method != Method::kHead;
    if (has_body && !piece_.empty()) {
      if (connection_.is_chunked_) fmt::format_to(std::back_inserter(out), "{:x}\r\n", piece_.size());
      out.append(piece_);
      if (connection_.is_chunked_) out.append("\r\n");
    }
    piece_.clear();
    return Post(std::move(out));
  }

  Result<void> Post(std::string bytes, bool is_last = false) {
    {
      std::unique_lock lock(connection_.outflow_.mutex);
      connection_.outflow_.drained.wait(lock, [this] {
        return connection_.outflow_.is_aborted || connection_.outflow_.bytes < kQueuedBytesMax;
      });
      if (connection_.outflow_.is_aborted) {
        return Fail(ErrorCode::kCancelled, "the client no longer waits for the answer");
      }
      connection_.outflow_.bytes += bytes.size();
    }
    boost::asio::post(connection_.loop_.io,
                      [self = connection_.shared_from_this(), sent = std::move(bytes), is_last]() mutable {
                        if (is_last) self->LeaveFlight();
                        self->Queue(std::move(sent));
                      });
    return {};
  }

  Connection& connection_;
  const std::string date_;
  std::string piece_;
  bool has_begun_ = false;
};

Connection::Connection(ServerState& server, Loop& loop, const boost::asio::ip::tcp::endpoint& peer)
    : server_(server),
      loop_(loop),
      peer_(peer.address().to_string()),
      in_(kFirstBufferBytes),
      parser_(server.settings.limits.header_bytes_max) {
  set_deadline(server.settings.limits.request_time_max);
}

void Connection::set_deadline(milliseconds from_now) {
  deadline_ = steady_clock::now() + from_now;
}

// --- reading
// -------------------------------------------------------------------------------------------------

void Connection::StartRead() {
  if (is_reading_ || phase_ == Phase::kClosed) return;
  if (in_begin_ == in_end_) in_begin_ = in_end_ = 0;
  if (in_end_ == in_.size()) {
    if (in_begin_ > 0) {
      std::memmove(in_.data(), in_.data() + in_begin_, in_end_ - in_begin_);
      in_end_ -= in_begin_;
      in_begin_ = 0;
    } else {
      in_.resize(in_.size() * 2);  // bounded: the parser takes everything but an unfinished head
    }
  }
  is_reading_ = true;
  AsyncRead(boost::asio::buffer(in_.data() + in_end_, in_.size() - in_end_));
}

void Connection::OnRead(const SocketError& code, std::size_t bytes) {
  is_reading_ = false;
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kLingering) {
    if (code) return Close();
    in_begin_ = in_end_ = 0;
    return StartRead();
  }
  if (code) return OnPeerGone();
  in_end_ += bytes;
  if (!parser_.has_begun()) set_deadline(server_.settings.limits.request_time_max);
  if (pipe_) set_deadline(server_.settings.limits.silence_max);
  Process();
}

void Connection::Process() {
  while (Step()) {
  }
}

// Goes on with the bytes that are there; false when something must happen first.
bool Connection::Step() {
  const bool reads_body =
      phase_ == Phase::kAnswering && pipe_ && parser_.state() == RequestParser::State::kBody;
  if (phase_ != Phase::kReading && !reads_body) return false;
  if (in_begin_ == in_end_ && parser_.state() != RequestParser::State::kDone && !is_too_much_) {
    StartRead();
    return false;
  }
  std::size_t used = 0;
  BodySink& sink = pipe_ ? static_cast<BodySink&>(*pipe_) : *this;
  const auto state = parser_.Feed({in_.data() + in_begin_, in_end_ - in_begin_}, used, sink);
  in_begin_ += used;
  if (state == RequestParser::State::kBroken) {
    if (pipe_) {
      must_close_ = true;
      broken_status_ = parser_.status();
      pipe_->Break({.code = ErrorCode::kInvalidArgument, .message = parser_.problem(), .context = {}});
      return false;
    }
    if (!is_routed_) parser_.Fill(request_);
    Refuse(parser_.status(),
           {.code = ErrorCode::kInvalidArgument, .message = parser_.problem(), .context = {}});
    return phase_ == Phase::kReading;
  }
  const bool is_cut =
      state == RequestParser::State::kBody && is_routed_ && used == 0;  // within a chunk's head
  if (state == RequestParser::State::kHead || (is_cut && !is_too_much_)) {
    StartRead();
    return false;
  }
  if (!is_routed_) {
    Route();
    return true;
  }
  if (is_too_much_) {
    Refuse(503,
           {.code = ErrorCode::kOutOfSpace,
            .message = "the server holds as many bytes of requests and answers as it may: try again later",
            .context = {}});
    return phase_ == Phase::kReading;
  }
  if (state == RequestParser::State::kDone) {
    if (pipe_) {
      EndPipe();
      return false;
    }
    Dispatch();
    return phase_ == Phase::kReading;
  }
  if (!pipe_ || !pipe_->IsFull()) return true;
  set_deadline(server_.settings.limits.answer_time_max);  // it is the handler that is slow now
  return false;
}

void Connection::EndPipe() {
  pipe_->End();
  set_deadline(server_.settings.limits.answer_time_max);
  WatchPeer();
}

void Connection::Take(std::string_view bytes) {
  body_.append(bytes);
  if (body_.size() > held_bytes_ + kUnheldBytes && !Hold(std::max(bytes.size(), held_bytes_))) {
    is_too_much_ = true;
  }
}

bool Connection::Hold(std::size_t bytes) {
  const auto more = static_cast<std::int64_t>(bytes);
  const std::int64_t before = server_.metrics->memory_bytes.fetch_add(more);
  held_bytes_ += bytes;
  return before + more <= static_cast<std::int64_t>(server_.settings.limits.memory_bytes_max);
}

void Connection::Route() {
  const Limits& limits = server_.settings.limits;
  is_routed_ = true;
  began_ = steady_clock::now();
  keeps_alive_ = parser_.keep_alive();
  parser_.Fill(request_);
  request_.peer = peer_;
  request_.is_tls = server_.tls != nullptr;
  const std::string_view given = request_.Header("x-request-id").value_or("");
  request_id_ = IsUsableId(given) ? std::string(given) : MakeRequestId();
  request_.id = request_id_;
  trace_.clear();
  if (const auto trace = request_.Header("traceparent"); trace && IsUsableId(*trace)) trace_ = *trace;

  const Router::Found found = server_.router.Find(request_);
  bound_ = found.route;
  if (bound_ == nullptr) {
    const std::string problem =
        found.other_method ? fmt::format("{} does not take {}", request_.path, NameOf(request_.method))
                           : fmt::format("there is nothing at {}", request_.path);
    if (found.other_method) response_.headers.emplace_back("Allow", found.allowed);
    return Refuse(found.other_method ? 405 : 404,
                  {.code = ErrorCode::kNotFound, .message = problem, .context = {}});
  }
  if (const auto encoding = request_.Header("content-encoding"); encoding && *encoding != "identity") {
    return Refuse(415, {.code = ErrorCode::kUnsupported,
                        .message = fmt::format("a body is taken as it is, and not with Content-Encoding: {}",
                                               *encoding),
                        .context = {}});
  }
  const bool is_stream = bound_->route.body == Body::kStream;
  const std::uint64_t body_max = is_stream ? limits.stream_bytes_max : limits.body_bytes_max;
  const std::uint64_t length = parser_.content_length().value_or(0);
  parser_.set_body_bytes_max(body_max);
  if (length > body_max) {
    return Refuse(413, {.code = ErrorCode::kInvalidArgument,
                        .message = fmt::format("the body has {} bytes; the limit is {}", length, body_max),
                        .context = {}});
  }
  // Whether the server is well is asked all the more when it has much to do.
  const bool is_health = bound_->route.scope.scope == Scope::kOpen;
  if (!is_health && server_.metrics->in_flight.load(std::memory_order_relaxed) >=
                        static_cast<std::int64_t>(limits.in_flight_max)) {
    return Refuse(429, {.code = ErrorCode::kBusy,
                        .message = "the server is answering as many requests as it may: try again later",
                        .context = {}});
  }
  if (length > kUnheldBytes) {
    if (!is_stream && !Hold(length)) {
      is_too_much_ = true;  // Step refuses
      return;
    }
    if (!is_stream) body_.reserve(length);
    if (in_.size() < kBodyBufferBytes) in_.resize(kBodyBufferBytes);
  }
  if (parser_.expects_continue() && parser_.state() == RequestParser::State::kBody && in_begin_ == in_end_) {
    SendContinue();
  }
  if (!is_stream) return;
  pipe_ = std::make_shared<BodyPipe>([weak = weak_from_this(), &io = loop_.io] {
    boost::asio::post(io, [weak] {
      if (const auto self = weak.lock()) self->OnPipeDrained();
    });
  });
  Dispatch();
  if (phase_ == Phase::kAnswering && parser_.state() == RequestParser::State::kDone) EndPipe();
}

// Small enough that a plain socket which has just been read from takes it at once. TLS writes it while the
// body is awaited, and an answer that comes in the meantime waits for it.
void Connection::SendContinue() {
  static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  const boost::asio::const_buffer line(kContinue.data(), kContinue.size());
  if (TryWrite({line, boost::asio::const_buffer()}) > 0) return;
  is_continuing_ = true;
  AsyncWrite({line, boost::asio::const_buffer()});
}

void Connection::Send(std::array<boost::asio::const_buffer, 2> bytes) {
  if (is_continuing_) {
    behind_continue_ = bytes;
  } else {
    AsyncWrite(bytes);
  }
}

void Connection::OnPipeDrained() {
  if (phase_ == Phase::kAnswering) Process();
}

// --- answering
// -----------------------------------------------------------------------------------------------

// Whether the caller may use the route; if not, it has been refused.
bool Connection::Authorize() {
  const Scope scope = bound_->route.scope.scope;
  request_.project = server_.settings.project;
  if (scope == Scope::kOpen) {
    request_.caller = {};
    return true;
  }
  auto caller = server_.authenticator->Identify(request_);
  if (!caller) {
    Refuse(401, caller.error());
    return false;
  }
  request_.caller = *std::move(caller);
  if (!request_.caller.only_project().empty()) request_.project = request_.caller.only_project();
  for (const auto& [name, value] : request_.parts_) {
    if (name == "project") request_.project = value;
  }
  if (request_.caller.Allows(scope, request_.project)) return true;
  Refuse(403, {.code = ErrorCode::kPermissionDenied,
               .message = fmt::format("the key {} does not have the scope {} in project {}",
                                      request_.caller.key_id(), NameOf(scope), request_.project),
               .context = {}});
  return false;
}

void Connection::Dispatch() {
  request_.body = body_;
  request_.stream = pipe_.get();
  if (!Authorize()) return;
  server_.metrics->in_flight.fetch_add(1, std::memory_order_relaxed);
  is_counted_ = true;
  phase_ = Phase::kAnswering;
  loop_.LendMemory(response_.body);
  if (bound_->route.runs == Runs::kInline && !pipe_) {
    auto result = RunHandler(bound_->route.handler, request_, response_);
    if (!result || !response_.needs_worker) return Answered(std::move(result));
    response_.Clear();
  }
  request_.on_worker = true;
  stop_ = std::stop_source();
  request_.stop = stop_.get_token();
  set_deadline(pipe_ ? server_.settings.limits.silence_max : server_.settings.limits.answer_time_max);
  if (!pipe_) WatchPeer();
  server_.workers.Run([self = shared_from_this(), date = loop_.date()] { self->Work(date); });
}

void Connection::Work(const std::string& date) {
  Result<void> result = RunHandler(bound_->route.handler, request_, response_);
  if (result && response_.stream) {
    StreamWriter writer(*this, date);
    result = response_.stream(writer);
    if (result) result = writer.Finish();
    if (writer.has_begun()) {
      const bool is_whole = result.has_value();
      boost::asio::post(loop_.io, [self = shared_from_this(), is_whole] { self->EndStream(is_whole); });
      return;
    }
  }
  boost::asio::post(loop_.io, [self = shared_from_this(), answer = std::move(result)]() mutable {
    self->Answered(std::move(answer));
    self->Process();
  });
}

// Notices when the client closes its side while a worker answers.
void Connection::WatchPeer() {
  socket().async_wait(boost::asio::ip::tcp::socket::wait_read,
                      [self = shared_from_this(), generation = generation_](const SocketError& code) {
                        if (code || self->generation_ != generation || self->phase_ != Phase::kAnswering)
                          return;
                        char byte = 0;
                        const ssize_t got =
                            recv(self->socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
                        if (got < 0 && errno == ECONNRESET) return self->OnPeerGone();
                        if (got != 0) return;
                        self->peer_sends_no_more_ = true;
                        if (self->in_begin_ == self->in_end_) self->must_close_ = true;
                      });
}

// A client that has closed its half may wait for the answer, or be gone: both look alike until something is
// sent. If the answer takes longer than a sweep, it is an interim response, which every client of HTTP/1.1
// must be able to pass over (RFC 9110, 15.2); the system of a client that is gone refuses it, and then the
// worker is told to stop: its answer would reach nobody.
void Connection::LookForPeer() {
  if (parser_.is_http_1_0() || is_continuing_) return;
  if (status_out_ != 0 || !out_.empty()) return;  // what is written will tell
  if (!is_peer_asked_) {
    is_peer_asked_ = true;
    return SendContinue();
  }
  pollfd peer{.fd = socket().native_handle(), .events = 0, .revents = 0};
  if (poll(&peer, 1, 0) > 0 && (peer.revents & (POLLERR | POLLHUP)) != 0) OnPeerGone();
}

void Connection::OnPeerGone() {
  if (pipe_ && parser_.state() == RequestParser::State::kBody) {
    pipe_->Break({.code = ErrorCode::kUnavailable,
                  .message = "the client went away before all of the body had arrived",
                  .context = {}});
  }
  Close();
}

void Connection::Refuse(int status, const Error& error) {
  if (status == 429 || status == 503) {
    server_.metrics->requests_refused.fetch_add(1, std::memory_order_relaxed);
    response_.headers.emplace_back("Retry-After", "1");
  }
  if (parser_.state() != RequestParser::State::kDone) must_close_ = true;
  if (began_ == SteadyTime{}) began_ = steady_clock::now();
  if (request_id_.empty()) request_id_ = MakeRequestId();
  request_.id = request_id_;
  Dialect& dialect = bound_ != nullptr ? *bound_->dialect : server_.router.DialectOf(request_);
  response_.status = status;
  dialect.WriteError(request_, status, error, response_);
  if (response_.status == 401) response_.headers.emplace_back("WWW-Authenticate", "Bearer");
  WriteAnswer();
}

void Connection::Answered(Result<void> result) {
  if (phase_ == Phase::kClosed || is_abandoned_) return;
  if (!result) {
    const int status = broken_status_ != 0 ? broken_status_ : StatusOf(result.error());
    response_.Clear();
    response_.status = status;
    bound_->dialect->WriteError(request_, status, result.error(), response_);
  }
  if (pipe_ && parser_.state() != RequestParser::State::kDone) must_close_ = true;
  WriteAnswer();
}

// Answers in the stead of a worker that takes too long. It still has the request and the response.
void Connection::TimeOut() {
  is_abandoned_ = true;
  must_close_ = true;
  stop_.request_stop();
  if (pipe_) {
    pipe_->Break(
        {.code = ErrorCode::kUnavailable, .message = "the body came to a standstill", .context = {}});
  }
  Response response;
  response.status = pipe_ ? 408 : 503;
  const Error error{.code = ErrorCode::kUnavailable,
                    .message = pipe_ ? "the body came to a standstill" : "the answer took longer than it may",
                    .context = {}};
  bound_->dialect->WriteError(request_, response.status, error, response);
  status_out_ = response.status;
  late_.clear();
  AppendHead(late_, response, response.body.size(), loop_.date());
  late_.append(response.body);
  phase_ = Phase::kWriting;
  LeaveFlight();
  set_deadline(server_.settings.limits.silence_max);
  Send({boost::asio::buffer(late_), boost::asio::const_buffer()});
}

// --- writing
// -------------------------------------------------------------------------------------------------

void Connection::AppendHead(std::string& out, const Response& response, std::optional<std::size_t> length,
                            std::string_view date) const {
  const auto add = [&out](std::string_view name, std::string_view value) {
    out.append(name).append(": "sv).append(value).append("\r\n"sv);
  };
  if (response.status == 200) {
    out.append("HTTP/1.1 200 OK\r\n"sv);
  } else {
    fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", response.status, ReasonOf(response.status));
  }
  if (!date.empty()) add("Date"sv, date);
  if (!response.content_type.empty()) add("Content-Type"sv, response.content_type);
  if (length) {
    const fmt::format_int digits(*length);
    add("Content-Length"sv, {digits.data(), digits.size()});
  } else if (is_chunked_) {
    out.append("Transfer-Encoding: chunked\r\n"sv);
  }
  add("X-Request-Id"sv, request_id_);
  if (!trace_.empty()) add("traceparent"sv, trace_);
  for (const auto& [name, value] : response.headers)
    add(name, value);
  if (must_close_ || !keeps_alive_ || server_.draining.load(std::memory_order_relaxed)) {
    out.append("Connection: close\r\n");
  } else if (parser_.is_http_1_0()) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

void Connection::WriteAnswer() {
  phase_ = Phase::kWriting;
  LeaveFlight();
  set_deadline(server_.settings.limits.silence_max);
  if (response_.body.size() > kUnheldBytes) Hold(response_.body.size());  // it is there: too late to refuse
  head_.clear();
  is_chunked_ = false;
  AppendHead(head_, response_, response_.body.size(), loop_.date());
  status_out_ = response_.status;
  bytes_out_ = response_.body.size();
  if (response_.body.size() <= kSentTogetherBytes) return loop_.SendSoon(shared_from_this());
  if (SendNow()) FinishAnswer();
}

// Whether all of it was taken; if not, the rest follows, and then OnWritten.
bool Connection::SendNow() {
  const boost::asio::const_buffer head = boost::asio::buffer(head_);
  boost::asio::const_buffer body = boost::asio::buffer(response_.body);
  if (request_.method == Method::kHead) body = {};
  const std::size_t written = is_continuing_ ? 0 : TryWrite({head, body});
  if (written == head.size() + body.size()) return true;
  const std::size_t of_head = std::min(written, head.size());
  Send({head + of_head, body + (written - of_head)});
  return false;
}

void Connection::SendAnswer() {
  if (phase_ != Phase::kWriting || !SendNow()) return;
  FinishAnswer();
  Process();
}

void Connection::OnWritten(const SocketError& code) {
  if (phase_ == Phase::kClosed) return;
  if (code) return Close();
  if (is_continuing_) {
    is_continuing_ = false;
    if (behind_continue_) AsyncWrite(*std::exchange(behind_continue_, std::nullopt));
    return;
  }
  if (!out_.empty()) {
    bytes_out_ += out_.front().size();
    {
      const std::lock_guard lock(outflow_.mutex);
      outflow_.bytes -= out_.front().size();
      outflow_.drained.notify_one();
    }
    out_.pop_front();
    if (!out_.empty()) return WriteNext();
    set_deadline(server_.settings.limits.answer_time_max);
    if (!stream_ended_) return;
  }
  FinishAnswer();
  Process();
}

void Connection::Queue(std::string bytes) {
  if (phase_ == Phase::kClosed) return;
  if (is_abandoned_) return;
  status_out_ = response_.status;
  out_.push_back(std::move(bytes));
  if (out_.size() == 1) WriteNext();
}

void Connection::WriteNext() {
  set_deadline(server_.settings.limits.silence_max);
  Send({boost::asio::buffer(out_.front()), boost::asio::const_buffer()});
}

void Connection::EndStream(bool whole) {
  if (phase_ == Phase::kClosed || is_abandoned_) return;
  if (!whole) return Close();
  if (pipe_ && parser_.state() != RequestParser::State::kDone) must_close_ = true;
  stream_ended_ = true;
  if (!out_.empty()) return;
  FinishAnswer();
  Process();
}

// Counts the request that is over, and gives it its line in the access log.
void Connection::Record() {
  const auto nanoseconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(steady_clock::now() - began_).count());
  if (bound_ != nullptr) bound_->metrics->Add(status_out_, nanoseconds, parser_.body_bytes(), bytes_out_);
  if (server_.access_log) {
    server_.access_log->Append({.id = request_id_,
                                .trace = trace_,
                                .peer = peer_,
                                .method = NameOf(request_.method),
                                .path = request_.path,
                                .route = request_.route,
                                .dialect = bound_ != nullptr ? bound_->dialect->name() : "",
                                .key_id = is_abandoned_ ? std::string_view{} : request_.caller.key_id(),
                                .status = status_out_,
                                .bytes_in = parser_.body_bytes(),
                                .bytes_out = bytes_out_,
                                .nanoseconds = nanoseconds});
  }
  Release();
}

// Before the last of the answer is sent: a client that has it may ask again at once, by another connection.
void Connection::LeaveFlight() {
  if (is_counted_) server_.metrics->in_flight.fetch_sub(1, std::memory_order_relaxed);
  is_counted_ = false;
}

// What the request took of the limits of all.
void Connection::Release() {
  LeaveFlight();
  if (held_bytes_ > 0) server_.metrics->memory_bytes.fetch_sub(static_cast<std::int64_t>(held_bytes_));
  held_bytes_ = 0;
}

void Connection::FinishAnswer() {
  Record();
  ++generation_;
  if (must_close_ || !keeps_alive_ || server_.draining.load(std::memory_order_relaxed)) {
    return EndConnection();
  }
  parser_.Reset();
  response_.Clear();
  loop_.TakeMemoryBack(response_.body);
  body_.clear();
  if (body_.capacity() > kKeptBodyBytes) body_.shrink_to_fit();
  request_.Clear();
  pipe_.reset();
  bound_ = nullptr;
  is_routed_ = is_too_much_ = stream_ended_ = false;
  peer_sends_no_more_ = is_peer_asked_ = false;
  bytes_out_ = 0;
  status_out_ = broken_status_ = 0;
  request_id_.clear();
  trace_.clear();
  began_ = {};
  phase_ = Phase::kReading;
  set_deadline(server_.settings.limits.idle_time_max);
}

// What the client has sent and nobody reads would make the system break the connection off before the client
// has read its answer: so read on for a moment.
void Connection::EndConnection() {
  const bool has_all =
      parser_.state() == RequestParser::State::kDone && in_begin_ == in_end_ && !is_abandoned_;
  phase_ = Phase::kLingering;
  set_deadline(kLinger);
  in_begin_ = in_end_ = 0;
  if (Shutdown()) return;
  if (has_all) return Close();
  StartRead();
}

// --- the end
// -------------------------------------------------------------------------------------------------

void Connection::Sweep(SteadyTime now) {
  if (now < deadline_) {
    if (peer_sends_no_more_ && phase_ == Phase::kAnswering) LookForPeer();
    return;
  }
  switch (phase_) {
    case Phase::kReading:
      if (!parser_.has_begun()) return Close();
      if (!is_routed_ && parser_.state() == RequestParser::State::kBody) parser_.Fill(request_);
      Refuse(408, {.code = ErrorCode::kUnavailable,
                   .message = "the request did not arrive in the time that it may take",
                   .context = {}});
      Process();
      return;
    case Phase::kAnswering:
      if (!out_.empty() || status_out_ != 0) return Close();  // a streamed answer has begun
      return TimeOut();
    case Phase::kWriting:
    case Phase::kLingering:
      return Close();
    case Phase::kClosed:
      return;
  }
}

// A request may have arrived that nobody has looked at yet, so an idle connection ends a moment later. In the
// meantime what comes is answered, with a word that the connection closes.
void Connection::Drain() {
  if (IsIdle()) set_deadline(kDrainIdle);
}

bool Connection::IsIdle() const {
  return phase_ == Phase::kClosed || (phase_ == Phase::kReading && !parser_.has_begun());
}

void Connection::Close() {
  if (phase_ == Phase::kClosed) return;
  const bool is_unanswered = phase_ == Phase::kAnswering || phase_ == Phase::kWriting;
  phase_ = Phase::kClosed;
  stop_.request_stop();
  if (pipe_) {
    pipe_->Break({.code = ErrorCode::kUnavailable, .message = "the connection was closed", .context = {}});
  }
  {
    const std::lock_guard lock(outflow_.mutex);
    outflow_.is_aborted = true;
    outflow_.drained.notify_all();
  }
  // What a request does is done, or goes on, although nobody hears of it.
  if (is_unanswered && status_out_ == 0) status_out_ = kClientGone;
  if (is_unanswered) {
    Record();
  } else {
    Release();
  }
  SocketError ignored;  // it is closed whatever the system says of it
  ignored = socket().close(ignored);
  loop_.Remove(shared_from_this());
}

}  // namespace tidemark::http
