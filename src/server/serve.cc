// Puts the dialects on the HTTP server.
#include "server/serve.h"

#include <utility>
#include <vector>

#include "server/catalog/services.h"
#include "server/http/server.h"
#include "server/ops/ops_dialect.h"

namespace tidemark::server {
namespace {

class StoreServer final : public RunningServer {
 public:
  static Result<std::unique_ptr<RunningServer>> Start(const ServeOptions& options) {
    auto server = std::make_unique<StoreServer>();
    TM_ASSIGN(server->services_.stores, Stores::Open(options.store));
    http::ServerSettings settings = options.http;
    settings.project = server->services_.stores->default_project();
    auto metrics = std::make_shared<http::Metrics>();
    const std::vector<std::shared_ptr<http::Dialect>> dialects{
        MakeOpsDialect(server->services_, metrics),  // last: it claims what nobody else does
    };
    TM_ASSIGN(server->http_, http::Server::Start(std::move(settings), dialects, http::NoKeys(), metrics));
    return server;
  }

  std::uint16_t port() const override { return http_->port(); }
  bool Stop() override { return http_->Stop(); }

 private:
  Services services_;  // outlives the dialects, which `http_` holds
  std::unique_ptr<http::Server> http_;
};

}  // namespace

Result<std::unique_ptr<RunningServer>> Serve(const ServeOptions& options) {
  return StoreServer::Start(options);
}

}  // namespace tidemark::server
