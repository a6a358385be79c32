// Goal: every request finds the route that its path and method mean, and two dialects cannot want the same
// one.
#include "server/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <type_traits>

#include "server/http/metrics.h"

namespace tidemark::http {
namespace {

using testing::HasSubstr;

// A route that does not state its scope is not compiled.
static_assert(!std::is_default_constructible_v<RouteScope> && !std::is_default_constructible_v<Route>);

class FewRoutes final : public Dialect {
 public:
  FewRoutes(std::string name, std::vector<std::pair<Method, std::string_view>> routes)
      : name_(std::move(name)), routes_(std::move(routes)) {}
  std::string_view name() const override { return name_; }
  std::vector<Route> Routes() override {
    std::vector<Route> all;
    for (const auto& [method, pattern] : routes_) {
      all.push_back({method, pattern, Scope::kRead, Runs::kInline, Body::kWhole,
                     [](const Request& /*request*/, Response& /*response*/) { return Result<void>{}; }});
    }
    return all;
  }
  bool Claims(const Request& request) const override { return request.path.starts_with("/" + name_); }
  void WriteError(const Request& /*request*/, int /*status*/, const Error& /*error*/,
                  Response& /*response*/) override {}

 private:
  const std::string name_;
  const std::vector<std::pair<Method, std::string_view>> routes_;
};

class RouterTest : public testing::Test {
 protected:
  Router Make(std::vector<std::pair<Method, std::string_view>> routes) {
    auto router =
        Router::Make({std::make_shared<FewRoutes>("a", std::move(routes)),
                      std::make_shared<FewRoutes>("b", std::vector<std::pair<Method, std::string_view>>{})},
                     metrics_);
    EXPECT_TRUE(router.has_value());
    return *std::move(router);
  }
  std::string Pattern(const Router& router, Method method, std::string_view path) {
    request_.method = method;
    request_.path = path;
    const Router::Found found = router.Find(request_);
    if (found.route == nullptr) return found.other_method ? "405" : "404";
    return std::string(found.route->route.pattern);
  }

  Metrics metrics_;
  Request request_;
};

TEST_F(RouterTest, ConstantPartsGoBeforeNamedOnes) {
  const Router router = Make({{Method::kGet, "/v1/{project}/views"},
                              {Method::kGet, "/v1/projects/views"},
                              {Method::kPost, "/v1/projects/{name}"},
                              {Method::kGet, "/{name}/online-features"},
                              {Method::kGet, "/"}});
  EXPECT_EQ(Pattern(router, Method::kGet, "/v1/projects/views"), "/v1/projects/views");
  EXPECT_EQ(Pattern(router, Method::kGet, "/v1/demo/views"), "/v1/{project}/views");
  EXPECT_EQ(request_.Part("project"), "demo");
  EXPECT_EQ(Pattern(router, Method::kPost, "/v1/projects/views"), "/v1/projects/{name}");
  EXPECT_EQ(Pattern(router, Method::kGet, "/v1/online-features"), "/{name}/online-features");
  EXPECT_EQ(Pattern(router, Method::kGet, "/"), "/");
}

TEST_F(RouterTest, UnknownPathsAndOtherMethodsAreToldApart) {
  const Router router = Make({{Method::kGet, "/a/{x}"}});
  EXPECT_EQ(Pattern(router, Method::kPost, "/a/1"), "405");
  EXPECT_EQ(router.Find(request_).allowed, "GET, HEAD");
  EXPECT_EQ(Pattern(router, Method::kHead, "/a/1"), "/a/{x}");
  for (const std::string_view path : {"/a", "/a/", "/a/1/", "/a/1/2", "/b/1", "a/1", "", "//", "/a//"}) {
    EXPECT_EQ(Pattern(router, Method::kGet, path), "404") << path;
  }
}

TEST_F(RouterTest, AnEncodedSlashStaysWithinItsPart) {
  const Router router = Make({{Method::kGet, "/FeatureGroup/{group}"}});
  EXPECT_EQ(Pattern(router, Method::kGet, "/FeatureGroup/arn%3Aaws%3A1%3Afeature-group%2Fname"),
            "/FeatureGroup/{group}");
  EXPECT_EQ(request_.Part("group"), "arn:aws:1:feature-group/name");
  EXPECT_EQ(Pattern(router, Method::kGet, "/FeatureGroup/%2"), "404");
}

TEST_F(RouterTest, OneRouteTwiceIsAnErrorThatNamesBoth) {
  const auto router =
      Router::Make({std::make_shared<FewRoutes>(
                        "a", std::vector<std::pair<Method, std::string_view>>{{Method::kGet, "/x/{a}"}}),
                    std::make_shared<FewRoutes>(
                        "b", std::vector<std::pair<Method, std::string_view>>{{Method::kGet, "/x/{b}"}})},
                   metrics_);
  ASSERT_FALSE(router.has_value());
  EXPECT_THAT(router.error().message, HasSubstr("/x/{b} of b and /x/{a} of a"));
}

TEST_F(RouterTest, TheDialectOfAPathWordsItsErrors) {
  const Router router = Make({});
  request_.path = "/b/nothing";
  EXPECT_EQ(router.DialectOf(request_).name(), "b");
  request_.path = "/elsewhere";
  EXPECT_EQ(router.DialectOf(request_).name(), "a");
}

}  // namespace
}  // namespace tidemark::http
