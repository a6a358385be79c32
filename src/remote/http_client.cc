// One attempt is: a connection, kept or new; the head and the body; the head of the answer. What went wrong
// on the way says whether there may be another.
#include "remote/http_client.h"
#include "base/check.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <random>
#include <utility>

#include "model/name.h"
#include "remote/error_answer.h"

namespace tidemark::remote {
namespace {

using Kind = NetworkError::Kind;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kKeptMax{30};    // servers close what is idle for longer
constexpr milliseconds kLateAnswerMax{2'000};   // of a server that stopped reading
constexpr milliseconds kRetryAfterMax{30'000};  // beyond, the caller is told instead
constexpr std::size_t kWholeAnswerBytesMax = 1UL << 30U;
constexpr std::size_t kErrorBytesMax = 1UL << 20U;

std::string KeyFromEnvironment() {
  const char* const key = std::getenv("TIDEMARK_API_KEY");
  return key == nullptr ? std::string() : std::string(key);
}

/// What a header can hold.
bool IsPrintable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

/// A header's value as it is: nothing of it ends the header or is trimmed.
bool IsHeaderValue(std::string_view text) {
  return text.empty() || (IsPrintable(text.substr(0, 1)) && IsPrintable(text.substr(text.size() - 1)) &&
                          std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; }));
}

std::string CommonHeaders(const ServerUrl& url, const std::string& key) {
  const bool is_v6 = url.host.find(':') != std::string::npos;
  std::string headers = fmt::format("Host: {}{}{}:{}\r\nUser-Agent: tidemark/{}\r\n", is_v6 ? "[" : "",
                                    url.host, is_v6 ? "]" : "", url.port, kVersion);
  if (!key.empty()) headers.append("Authorization: Bearer ").append(key).append("\r\n");
  return headers;
}

/// Seconds; dates, which the header may hold as well, count as none.
std::optional<milliseconds> RetryAfter(std::string_view header) {
  int seconds = 0;
  const auto [end, failed] = std::from_chars(header.data(), header.data() + header.size(), seconds);
  if (failed != std::errc() || end != header.data() + header.size() || seconds < 0) return {};
  return std::chrono::seconds(seconds);
}

/// Between half of `time` and all of it, so that clients that failed together do not come again together.
milliseconds Scattered(milliseconds time) {
  thread_local std::minstd_rand random(std::random_device{}());
  return milliseconds(
      std::uniform_int_distribution<milliseconds::rep>(time.count() / 2, time.count())(random));
}

}  // namespace

/// Why an attempt came to nothing, and when there may be another.
struct HttpClient::Failure {
  Error error;
  bool may_repeat = false;
  bool at_once = false;                    // a kept connection had been closed
  std::optional<milliseconds> wait_min{};  // as the server asks
};

Answer::Answer(std::shared_ptr<HttpClient> client, std::unique_ptr<Connection> connection,
               std::unique_ptr<AnswerReader> reader, Waiting waiting, bool is_reusable)
    : client_(std::move(client)),
      connection_(std::move(connection)),
      reader_(std::move(reader)),
      waiting_(std::move(waiting)),
      is_reusable_(is_reusable) {}

Answer::~Answer() {
  if (is_reusable_ && reader_->is_reusable()) client_->Keep(std::move(connection_));
}

Result<std::size_t> Answer::Read(std::span<char> into) {
  const auto got = reader_->ReadBody(into, waiting_);
  if (got) return *got;
  return std::unexpected(client_->ErrorOf(Effect::kNone, got.error()));
}

NetworkResult<std::string> Answer::ReadAll(std::size_t bytes_max) {
  std::string all;
  constexpr std::size_t kStep = 16UL << 10U;
  std::size_t size = 0;
  if (const auto told = Header("content-length"); !told.empty()) {
    std::size_t length = 0;
    std::from_chars(told.data(), told.data() + told.size(), length);
    all.reserve(std::min(length, bytes_max) + 1);
  }
  while (true) {
    all.resize(std::max(size + kStep, all.capacity()));
    const auto got = reader_->ReadBody(std::span(all).subspan(size), waiting_);
    if (!got) return std::unexpected(got.error());
    size += *got;
    if (*got == 0) break;
    if (size > bytes_max) return std::unexpected(NetworkError{Kind::kProtocol, "the answer is too long"});
  }
  all.resize(size);
  return all;
}

Result<std::shared_ptr<HttpClient>> HttpClient::Make(const ConnectOptions& options) {
  TM_ASSIGN(ServerUrl url, ParseServerUrl(options.url));
  ConnectOptions taken = options;
  if (taken.api_key.empty()) taken.api_key = KeyFromEnvironment();
  if (!IsPrintable(taken.api_key)) {
    return Fail(ErrorCode::kInvalidArgument, "the API key holds characters that no key has");
  }
  std::shared_ptr<const TlsClient> tls;
  if (url.is_tls) {
    TM_ASSIGN(tls, TlsClient::Make(options));
  }
  return std::shared_ptr<HttpClient>(new HttpClient(std::move(taken), std::move(url), std::move(tls)));
}

HttpClient::HttpClient(ConnectOptions options, ServerUrl url, std::shared_ptr<const TlsClient> tls)
    : options_(std::move(options)),
      url_(std::move(url)),
      tls_(std::move(tls)),
      common_headers_(CommonHeaders(url_, options_.api_key)) {}

template <typename T, typename Try>
Result<T> HttpClient::Repeat(Request& request, const Try& attempt) {
  if (!IsHeaderValue(request.idempotency_key)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the idempotency key {} cannot be sent: use letters, digits, signs of ASCII, and "
                            "spaces between them",
                            Quoted(request.idempotency_key)));
  }
  const Waiting waiting(options_.answer_time_max, request.stop);
  milliseconds wait = options_.retry_wait;
  for (int repeats = 0;; ++repeats) {
    Tried<T> tried = attempt();
    if (tried) return *std::move(tried);
    Failure& failure = tried.error();
    const bool is_wanted = failure.may_repeat && (repeats < options_.retries_max || failure.at_once);
    if (!is_wanted || (request.stream != nullptr && !request.stream->Restart())) {
      return std::unexpected(std::move(failure.error));
    }
    if (failure.at_once) {
      --repeats;  // each kept connection can fail so once only
      continue;
    }
    const milliseconds pause = std::max(Scattered(wait), failure.wait_min.value_or(milliseconds(0)));
    if (const auto waited = Pause(pause, waiting); !waited) {
      return std::unexpected(ErrorOf(request.effect, waited.error()));
    }
    wait *= 2;
  }
}

Result<std::string> HttpClient::Call(Request& request) {
  return Repeat<std::string>(request, [&] { return TryCall(request); });
}

Result<std::unique_ptr<Answer>> HttpClient::Open(Request& request) {
  return Repeat<std::unique_ptr<Answer>>(request, [&] { return TryOpen(request); });
}

HttpClient::Tried<std::string> HttpClient::TryCall(Request& request) {
  Tried<std::unique_ptr<Answer>> answer = TryOpen(request);
  if (!answer) return std::unexpected(std::move(answer).error());
  auto body = (*answer)->ReadAll(kWholeAnswerBytesMax);
  if (body) return *std::move(body);
  return std::unexpected(FailureOf(request, body.error()));
}

HttpClient::Tried<std::unique_ptr<Answer>> HttpClient::TryOpen(Request& request) {
  if (auto kept = TakeKept()) return Exchange(request, std::move(kept), true);
  auto opened = OpenConnection(url_, tls_.get(), Waiting(options_.connect_time_max, request.stop));
  if (!opened) return std::unexpected(FailureOf(request, opened.error()));
  return Exchange(request, *std::move(opened), false);
}

HttpClient::Tried<std::unique_ptr<Answer>> HttpClient::Exchange(Request& request,
                                                                std::unique_ptr<Connection> connection,
                                                                bool was_kept) {
  const Waiting waiting(options_.answer_time_max, request.stop);
  Tried<bool> sent = Send(request, *connection, waiting);
  if (!sent) return std::unexpected(std::move(sent).error());
  auto reader = std::make_unique<AnswerReader>(*connection);
  const Waiting late(std::min(kLateAnswerMax, options_.answer_time_max), request.stop);
  if (auto head = reader->ReadHead(*sent ? waiting : late); !head) {
    if (!*sent && head.error().kind == Kind::kTooSlow) head.error().kind = Kind::kBroken;
    Failure failure = FailureOf(request, head.error());
    failure.at_once = was_kept && failure.may_repeat && !reader->has_begun();
    return std::unexpected(std::move(failure));
  }
  auto answer =
      std::make_unique<Answer>(shared_from_this(), std::move(connection), std::move(reader), waiting, *sent);
  if (answer->status() < 300) return answer;
  return Refused(request, *answer);
}

/// Whether all was sent; false if the server answered, or stopped reading, before the end.
HttpClient::Tried<bool> HttpClient::Send(Request& request, Connection& connection,
                                         const Waiting& waiting) const {
  std::string head = HeadOf(request);
  if (request.stream != nullptr) return SendChunks(request, connection, std::move(head), waiting);
  head.append(request.body);
  if (const auto written = connection.Write(head, waiting); !written) {
    if (written.error().kind == Kind::kBroken) return false;
    return std::unexpected(FailureOf(request, written.error()));
  }
  return true;
}

HttpClient::Tried<bool> HttpClient::SendChunks(const Request& request, Connection& connection,
                                               std::string head, const Waiting& waiting) const {
  std::string frame = std::move(head);
  const auto write = [&]() -> Tried<bool> {
    const auto written = connection.Write(frame, waiting);
    frame.clear();
    if (written) return true;
    if (written.error().kind == Kind::kBroken) return false;
    return std::unexpected(FailureOf(request, written.error()));
  };
  while (true) {
    auto bytes = request.stream->Next();
    if (!bytes) return std::unexpected(Failure{.error = std::move(bytes).error()});
    if (bytes->empty()) break;
    if (waiting.IsCancelled()) {
      return std::unexpected(FailureOf(request, {Kind::kCancelled, "interrupted"}));
    }
    frame.append(fmt::format("{:x}\r\n", bytes->size())).append(*bytes).append("\r\n");
    Tried<bool> written = write();
    if (!written || !*written) return written;
    if (connection.HasInput()) return false;
  }
  frame.append("0\r\n\r\n");
  return write();
}

std::string HttpClient::HeadOf(const Request& request) const {
  std::string head;
  head.reserve(512 + request.target.size() + request.body.size());
  head.append(request.method).append(" ").append(url_.prefix).append(request.target).append(" HTTP/1.1\r\n");
  head.append(common_headers_);
  if (!request.accept.empty()) head.append("Accept: ").append(request.accept).append("\r\n");
  if (!request.idempotency_key.empty()) {
    head.append("Idempotency-Key: ").append(request.idempotency_key).append("\r\n");
  }
  if (request.is_async) head.append("Prefer: respond-async\r\n");
  if (request.stream != nullptr) {
    head.append("Content-Type: ").append(request.content_type).append("\r\nTransfer-Encoding: chunked\r\n");
  } else if (!request.body.empty() || request.method != "GET") {
    if (!request.body.empty()) head.append("Content-Type: ").append(request.content_type).append("\r\n");
    head.append(fmt::format("Content-Length: {}\r\n", request.body.size()));
  }
  return head.append("\r\n");
}

/// The error that an answer other than a success tells.
HttpClient::Tried<std::unique_ptr<Answer>> HttpClient::Refused(const Request& request, Answer& answer) const {
  const auto body = answer.ReadAll(kErrorBytesMax);
  const int status = answer.status();
  Failure failure{.error = ErrorOfAnswer(url_.text, status, body ? *body : std::string())};
  const bool is_put_off = status == 429 || status == 503;
  failure.wait_min = RetryAfter(answer.Header("retry-after"));
  failure.may_repeat = is_put_off && failure.wait_min && *failure.wait_min <= kRetryAfterMax &&
                       request.effect != Effect::kOnce;
  return std::unexpected(std::move(failure));
}

HttpClient::Failure HttpClient::FailureOf(const Request& request, const NetworkError& error) const {
  Failure failure{.error = ErrorOf(request.effect, error)};
  failure.may_repeat =
      error.kind == Kind::kNotConnected || (error.kind == Kind::kBroken && request.effect != Effect::kOnce);
  if (failure.error.code == ErrorCode::kUnknownFate && !request.idempotency_key.empty()) {
    failure.error.message.append(
        fmt::format(", or write the same rows again with the idempotency key '{}'", request.idempotency_key));
  }
  return failure;
}

Error HttpClient::ErrorOf(Effect effect, const NetworkError& error) const {
  const bool is_unknown = effect != Effect::kNone;
  switch (error.kind) {
    case Kind::kNotConnected:
      return {ErrorCode::kUnavailable,
              fmt::format("the server {} cannot be reached: {}", url_.text, error.text),
              {}};
    case Kind::kCancelled:
      return {ErrorCode::kCancelled, error.text, {}};
    case Kind::kProtocol:
      return {is_unknown ? ErrorCode::kUnknownFate : ErrorCode::kUnavailable,
              fmt::format("what answers at {} is not understood: {}", url_.text, error.text),
              {}};
    case Kind::kBroken:
    case Kind::kTooSlow:
      break;
  }
  const std::string_view what = error.kind == Kind::kBroken ? "was lost" : "is silent";
  if (!is_unknown) {
    return {ErrorCode::kUnavailable, fmt::format("the server {} {}: {}", url_.text, what, error.text), {}};
  }
  return {
      ErrorCode::kUnknownFate,
      fmt::format("the server {} {} before it answered: {}; whether it did what was asked is not known: look "
                  "before you try again",
                  url_.text, what, error.text),
      {}};
}

std::unique_ptr<Connection> HttpClient::TakeKept() {
  const std::lock_guard lock(mutex_);
  if (process_ != getpid()) {
    // Those of a parent process go on being used there: nothing is said on them here, not even goodbye.
    for (Kept& each : kept_) {
      Connection* const parents = each.connection.release();  // lost on purpose
      TM_CHECK(parents != nullptr, "a kept connection is there");
    }
    kept_.clear();
    return nullptr;
  }
  while (!kept_.empty()) {
    Kept last = std::move(kept_.back());
    kept_.pop_back();
    const bool is_fresh = std::chrono::steady_clock::now() - last.since < kKeptMax;
    if (is_fresh && !last.connection->HasInput()) return std::move(last.connection);
  }
  return nullptr;
}

void HttpClient::Keep(std::unique_ptr<Connection> connection) {
  const std::lock_guard lock(mutex_);
  if (process_ != getpid()) {
    if (!kept_.empty()) return;  // TakeKept lets go of them
    process_ = getpid();
  }
  if (kept_.size() >= options_.connections_kept) kept_.erase(kept_.begin());
  kept_.push_back({std::move(connection), std::chrono::steady_clock::now()});
}

}  // namespace tidemark::remote
