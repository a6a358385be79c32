// Over one easy handle of libcurl, whose options are put anew for every request.
//
// The library is loaded by the first client: it brings a score of others (LDAP, Kerberos, SSH), which most
// stores never need, and no wheel should carry.
#include "adapters/http/http_client.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <utility>

namespace tidemark::http {
namespace {

/// What is called of libcurl.
struct Curl {
  decltype(&::curl_global_init) global_init = nullptr;
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_reset) easy_reset = nullptr;
  decltype(&::curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_strerror) easy_strerror = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
  CURLcode (*easy_setopt)(CURL*, CURLoption, ...) = nullptr;
  CURLcode (*easy_getinfo)(CURL*, CURLINFO, ...) = nullptr;
};

Result<Curl> LoadCurl() {
  void* const library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("Kinesis and schema registries need libcurl, which cannot be loaded: {}. Install "
                            "it (Debian and Ubuntu: libcurl4)",
                            ::dlerror()));
  }
  Curl curl;
  const char* missing = nullptr;
  const auto find = [&](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
    if (function == nullptr) missing = name;
  };
  find(curl.global_init, "curl_global_init");
  find(curl.easy_init, "curl_easy_init");
  find(curl.easy_cleanup, "curl_easy_cleanup");
  find(curl.easy_reset, "curl_easy_reset");
  find(curl.easy_perform, "curl_easy_perform");
  find(curl.easy_strerror, "curl_easy_strerror");
  find(curl.slist_append, "curl_slist_append");
  find(curl.slist_free_all, "curl_slist_free_all");
  find(curl.easy_setopt, "curl_easy_setopt");
  find(curl.easy_getinfo, "curl_easy_getinfo");
  if (missing != nullptr)
    return Fail(ErrorCode::kUnsupported, fmt::format("the libcurl that was loaded has no {}", missing));
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return Fail(ErrorCode::kInternal, "libcurl cannot begin");
  return curl;
}

/// Loaded once, and kept: others of its kind may be using it.
const Result<Curl>& LoadedCurl() {
  static const Result<Curl> loaded = LoadCurl();
  return loaded;
}

/// Of a client that was made.
const Curl& TheCurl() {
  return *LoadedCurl();
}

struct ListDeleter {
  void operator()(curl_slist* list) const { TheCurl().slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

struct EasyDeleter {
  void operator()(CURL* handle) const { TheCurl().easy_cleanup(handle); }
};

/// What an answer's bytes are put into.
struct AnswerBody {
  std::string bytes;
  std::size_t bytes_max = 0;
  bool is_too_long = false;
};

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* into) {
  auto& body = *static_cast<AnswerBody*>(into);
  const std::size_t bytes = size * count;
  if (bytes > body.bytes_max - body.bytes.size()) {
    body.is_too_long = true;
    return 0;  // ends the transfer
  }
  body.bytes.append(data, bytes);
  return bytes;
}

long Milliseconds(std::int64_t us) {
  return static_cast<long>(std::max<std::int64_t>(us / 1'000, 1));
}

Result<HeaderList> HeadersOf(const HttpRequest& request) {
  HeaderList list;
  const auto add = [&](const std::string& header) {
    curl_slist* const longer = TheCurl().slist_append(list.get(), header.c_str());
    if (longer == nullptr) return false;
    std::ignore = list.release();
    list.reset(longer);
    return true;
  };
  // curl would ask a server first whether it takes a body.
  bool is_added = add("Expect:");
  for (const std::string& header : request.headers)
    is_added = is_added && add(header);
  if (request.aws_auth && !request.aws_auth->session_token.empty())
    is_added = is_added && add("X-Amz-Security-Token: " + request.aws_auth->session_token);
  if (is_added) return list;
  return Fail(ErrorCode::kOutOfSpace, "there is no memory for a request's headers");
}

Error ErrorOfTransfer(CURLcode code, const AnswerBody& body, const char* detail, const std::string& url) {
  const std::string place = ShownUrl(url);
  if (body.is_too_long) {
    return {.code = ErrorCode::kInvalidData,
            .message = fmt::format("the answer of {} is longer than {} bytes", place, body.bytes_max),
            .context = {}};
  }
  const std::string why = *detail != '\0' ? detail : TheCurl().easy_strerror(code);
  if (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_URL_MALFORMAT) {
    return {.code = ErrorCode::kInvalidArgument,
            .message = fmt::format("{} is no URL of http or https: {}", place, TheCurl().easy_strerror(code)),
            .context = {}};
  }
  if (code == CURLE_OUT_OF_MEMORY)
    return {.code = ErrorCode::kOutOfSpace, .message = "there is no memory for a request", .context = {}};
  return {.code = ErrorCode::kUnavailable,
          .message = fmt::format("{} does not answer: {}", place, why),
          .context = {}};
}

}  // namespace

class HttpClient::Impl {
 public:
  explicit Impl(CURL* handle) : handle_(handle) {}

  Result<HttpAnswer> Send(const HttpRequest& request) {
    TheCurl().easy_reset(handle_.get());
    TM_ASSIGN(const HeaderList headers, HeadersOf(request));
    AnswerBody body{.bytes = {}, .bytes_max = request.answer_bytes_max};
    char detail[CURL_ERROR_SIZE] = "";
    std::string aws_scope;
    Put(CURLOPT_ERRORBUFFER, detail);
    Put(CURLOPT_URL, request.url.c_str());
    Put(CURLOPT_PROTOCOLS_STR, "http,https");
    Put(CURLOPT_NOSIGNAL, 1L);
    Put(CURLOPT_HTTPHEADER, headers.get());
    Put(CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(request.connect_timeout_us));
    Put(CURLOPT_TIMEOUT_MS, Milliseconds(request.timeout_us));
    Put(CURLOPT_WRITEFUNCTION, &TakeBody);
    Put(CURLOPT_WRITEDATA, &body);
    if (request.body) {
      Put(CURLOPT_POST, 1L);
      Put(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
      Put(CURLOPT_POSTFIELDS, request.body->c_str());
    }
    if (request.is_put) Put(CURLOPT_CUSTOMREQUEST, "PUT");
    if (request.basic_auth) {
      Put(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      Put(CURLOPT_USERNAME, request.basic_auth->user.c_str());
      Put(CURLOPT_PASSWORD, request.basic_auth->password.c_str());
    }
    if (request.aws_auth) {
      aws_scope = fmt::format("aws:amz:{}:{}", request.aws_auth->region, request.aws_auth->service);
      Put(CURLOPT_AWS_SIGV4, aws_scope.c_str());
      Put(CURLOPT_USERNAME, request.aws_auth->access_key_id.c_str());
      Put(CURLOPT_PASSWORD, request.aws_auth->secret_access_key.c_str());
    }
    if (refused_ != CURLE_OK) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("libcurl does not take an option: {}",
                              TheCurl().easy_strerror(std::exchange(refused_, CURLE_OK))));
    }
    if (const CURLcode code = TheCurl().easy_perform(handle_.get()); code != CURLE_OK)
      return std::unexpected(ErrorOfTransfer(code, body, detail, request.url));
    long status = 0;
    TheCurl().easy_getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
    return HttpAnswer{.status = static_cast<int>(status), .body = std::move(body.bytes)};
  }

 private:
  template <typename Value>
  void Put(CURLoption option, Value value) {
    const CURLcode code = TheCurl().easy_setopt(handle_.get(), option, value);
    if (code != CURLE_OK) refused_ = code;
  }

  const std::unique_ptr<CURL, EasyDeleter> handle_;
  CURLcode refused_ = CURLE_OK;
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::Make() {
  const Result<Curl>& curl = LoadedCurl();
  if (!curl) return std::unexpected(curl.error());
  CURL* const handle = curl->easy_init();
  if (handle == nullptr) return Fail(ErrorCode::kInternal, "libcurl cannot begin");
  return std::unique_ptr<HttpClient>(new HttpClient(std::make_unique<Impl>(handle)));
}

Result<HttpAnswer> HttpClient::Send(const HttpRequest& request) {
  return impl_->Send(request);
}

std::string ShownUrl(const std::string& url) {
  std::string shown = url.substr(0, url.find_first_of("?#"));
  const auto scheme = shown.find("://");
  const auto host = scheme == std::string::npos ? 0 : scheme + 3;
  const auto at = shown.rfind('@');
  if (at != std::string::npos && at >= host) shown.erase(host, at + 1 - host);
  return shown;
}

}  // namespace tidemark::http
