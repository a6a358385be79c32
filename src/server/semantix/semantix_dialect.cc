// Routes, and how errors look.
#include "server/semantix/semantix_dialect.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <vector>

#include "server/json/json_text.h"
#include "server/semantix/row_requests_internal.h"
#include "server/semantix/table_requests_internal.h"
#include "server/semantix/training_pages_internal.h"

namespace tidemark::server {
namespace {

using http::Body;
using http::Method;
using http::Request;
using http::Response;
using http::Runs;
using http::Scope;

class SemantixDialect final : public http::Dialect {
 public:
  SemantixDialect(Services& services, const http::Limits& limits)
      : tables_(services, limits), rows_(services, limits), pages_(services, limits) {}

  std::string_view name() const override { return "semantix"; }

  std::vector<http::Route> Routes() override {
    const auto route = [](Method method, std::string_view pattern, Scope scope, http::Handler handler) {
      return http::Route{method, pattern, scope, Runs::kWorker, Body::kWhole, std::move(handler)};
    };
    return {
        route(Method::kPost, "/feature-view", Scope::kAdmin,
              [this](const Request& asked, Response& answer) { return tables_.Create(asked, answer); }),
        route(Method::kGet, "/list-feature-views", Scope::kRead,
              [this](const Request& asked, Response& answer) { return tables_.List(asked, answer); }),
        route(Method::kPost, "/{name}/delete-feature-view", Scope::kAdmin,
              [this](const Request& asked, Response& answer) { return tables_.Delete(asked, answer); }),
        route(Method::kPost, "/{name}/push", Scope::kWrite,
              [this](const Request& asked, Response& answer) { return rows_.Push(asked, answer); }),
        route(Method::kGet, "/{name}/online-features", Scope::kRead,
              [this](const Request& asked, Response& answer) { return rows_.Online(asked, answer); }),
        route(Method::kGet, "/{name}/historical-features", Scope::kRead,
              [this](const Request& asked, Response& answer) { return pages_.Answer(asked, answer); }),
    };
  }

  bool Claims(const Request& request) const override {
    constexpr std::array<std::string_view, 5> kEnds = {"/feature-view", "/list-feature-views",
                                                       "/delete-feature-view", "/online-features",
                                                       "/historical-features"};
    return std::ranges::any_of(kEnds, [&](std::string_view end) { return request.path.ends_with(end); });
  }

  void WriteError(const Request& request, int /*status*/, const Error& error, Response& response) override {
    response.body = "{\"detail\":";
    json::AppendText(response.body, error.ToString());
    response.body.append(",\"code\":");
    json::AppendText(response.body, Describe(error.code).name);
    response.body.append(",\"request_id\":");
    json::AppendText(response.body, request.id);
    response.body.push_back('}');
  }

 private:
  TableRequests tables_;
  RowRequests rows_;
  TrainingPages pages_;
};

}  // namespace

std::shared_ptr<http::Dialect> MakeSemantixDialect(Services& services, const http::Limits& limits) {
  return std::make_shared<SemantixDialect>(services, limits);
}

}  // namespace tidemark::server
