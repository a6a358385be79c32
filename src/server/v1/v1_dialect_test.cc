// Goal: the OpenAPI document names every route with its scope, and no other; parts of a body and jobs do what
// their headers say.
#include "server/v1/v1_dialect.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <sstream>

#include "server/rows/body_bytes.h"
#include "server/v1/jobs.h"
#include "server/v1/multipart.h"
#include "server/v1/v1_internal.h"

namespace tidemark::server {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return lower;
}

/// "get /v1 open", ... of the document.
std::set<std::string> RoutesOfDocument() {
  simdjson::dom::parser parser;
  std::set<std::string> routes;
  for (const auto [path, operations] : parser.parse(OpenApiText())["paths"].get_object().value()) {
    for (const auto [method, operation] : operations.get_object().value()) {
      const std::string_view scope = operation["x-tidemark-scope"].get_string().value();
      routes.insert(std::string(method) + " " + std::string(path) + " " + std::string(scope));
    }
  }
  return routes;
}

TEST(V1Dialect, EveryRouteIsInTheDocumentWithItsScope) {
  const fs::path folder = fs::temp_directory_path() / ("tidemark_v1_dialect_" + std::to_string(getpid()));
  {
    Services services;
    auto stores = Stores::Open({.path = folder});
    ASSERT_TRUE(stores) << stores.error().ToString();
    services.stores = *std::move(stores);
    std::set<std::string> routes;
    for (const http::Route& route : MakeV1Dialect(services, {})->Routes()) {
      routes.insert(Lower(NameOf(route.method)) + " " + std::string(route.pattern) + " " +
                    std::string(NameOf(route.scope.scope)));
    }
    EXPECT_EQ(routes, RoutesOfDocument());
    EXPECT_GT(routes.size(), 50U);
  }
  fs::remove_all(folder);
}

// The page for people names every route of the document too: `P/views/{view}/ingest`.
TEST(V1Dialect, EveryPathIsInTheGuide) {
  std::ifstream file(fs::path(TIDEMARK_SOURCE_DIR) / "docs" / "http-api.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string guide = text.str();
  for (const std::string& route : RoutesOfDocument()) {
    std::string path = route.substr(route.find(' ') + 1);
    path = path.substr(0, path.find(' '));
    constexpr std::string_view kProject = "/v1/projects/{project}";
    if (path.starts_with(kProject)) path = "P" + path.substr(kProject.size());
    EXPECT_THAT(guide, HasSubstr(path)) << route;
  }
}

TEST(Multipart, PartsAreReadOneAfterTheOther) {
  const std::string text =
      "passed over\r\n--b\r\nContent-Disposition: form-data; name=\"request\"\r\n\r\n{}\r\n"
      "--b\r\ncontent-type: text/csv\r\ncontent-disposition: form-data; name=rows; filename=x\r\n\r\n"
      "a\r\n--c\r\n1\r\n--b--\r\n";
  WholeBody body(text);
  MultipartBody multipart(body, "b");
  const auto first = multipart.Next();
  ASSERT_TRUE(first && *first) << (first ? "none" : first.error().ToString());
  EXPECT_EQ((*first)->name, "request");
  EXPECT_EQ(ReadWhole(multipart, 100, "part").value(), "{}");
  const auto second = multipart.Next();
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->name, "rows");
  EXPECT_EQ((*second)->content_type, "text/csv");
  EXPECT_EQ(ReadWhole(multipart, 100, "part").value(), "a\r\n--c\r\n1");
  EXPECT_FALSE(multipart.Next().value());
}

TEST(Multipart, BodiesThatEndEarlyAreErrors) {
  const std::string whole = "--b\r\nContent-Disposition: form-data; name=request\r\n\r\nxy\r\n--b--\r\n";
  for (std::size_t length = 0; length + 2 < whole.size(); ++length) {
    const std::string cut = whole.substr(0, length);
    WholeBody body(cut);
    MultipartBody multipart(body, "b");
    const auto read = [&]() -> Result<void> {
      while (true) {
        TM_ASSIGN(const auto part, multipart.Next());
        if (!part) return {};
      }
    }();
    EXPECT_FALSE(read) << length;
  }
}

JobRequest Work(JobWork work) {
  return {.project = "p", .operation = "test", .scope = http::Scope::kWrite, .work = std::move(work)};
}

std::string IdOf(const std::string& job) {
  const std::string id = job.substr(std::string_view(R"({"id":")").size());
  return id.substr(0, id.find('"'));
}

/// Waits until a job's state is another than queued and running.
std::string Ended(Jobs& jobs, const std::string& id) {
  std::string job;
  for (std::int64_t version = 0; version < 100; ++version) {
    job = jobs.Get("p", id, version, 60'000, {}).value();
    if (job.find("queued") == std::string::npos && job.find("running") == std::string::npos) break;
  }
  return job;
}

TEST(Jobs, TellProgressAndReport) {
  Jobs jobs({.running_max = 1});
  std::promise<void> go_on;
  const auto started = jobs.Start(Work([&](const WorkOptions& work) -> Result<std::string> {
    work.progress({.what = "half", .done = 1, .total = 2});
    go_on.get_future().wait();
    return R"({"rows":1})";
  }));
  const std::string id = IdOf(started.value());
  std::string job;
  for (std::int64_t version = 1; job.find("half") == std::string::npos; ++version)
    job = jobs.Get("p", id, version, 60'000, {}).value();
  EXPECT_THAT(job, HasSubstr(R"("progress":{"what":"half","done":1,"total":2})"));
  go_on.set_value();
  job = Ended(jobs, id);
  EXPECT_THAT(job, HasSubstr(R"("state":"done")"));
  EXPECT_THAT(job, HasSubstr(R"("report":{"rows":1},"error":null)"));
  EXPECT_EQ(jobs.Cancel("p", id).value(), false);
  EXPECT_EQ(jobs.Get("other", id, 0, 0, {}).error().code, ErrorCode::kNotFound);
}

TEST(Jobs, AreCancelledWhetherTheyRunOrWait) {
  Jobs jobs({.running_max = 1, .waiting_max = 1});
  const auto until_stopped = [](const WorkOptions& work) -> Result<std::string> {
    std::promise<void> stopped;
    const std::stop_callback callback(work.stop, [&] { stopped.set_value(); });
    stopped.get_future().wait();
    return Fail(ErrorCode::kCancelled, "interrupted");
  };
  const std::string first = IdOf(jobs.Start(Work(until_stopped)).value());
  while (jobs.Get("p", first, 1, 60'000, {}).value().find("running") == std::string::npos) {
  }
  const std::string second = IdOf(jobs.Start(Work(until_stopped)).value());
  EXPECT_EQ(jobs.Start(Work(until_stopped)).error().code, ErrorCode::kBusy);
  EXPECT_EQ(jobs.Cancel("p", second).value(), true);
  EXPECT_THAT(Ended(jobs, second), HasSubstr("cancelled"));
  EXPECT_EQ(jobs.Cancel("p", first).value(), true);
  EXPECT_THAT(Ended(jobs, first), HasSubstr("interrupted"));
  EXPECT_EQ(jobs.List("p").size(), 2U);
}

TEST(Jobs, AreForgottenAnHourAfterTheirEnd) {
  std::atomic<std::int64_t> now_us = 1'000'000;
  Jobs jobs({.running_max = 1, .now_us = [&] { return now_us.load(); }});
  const auto fails = [](const WorkOptions& /*work*/) -> Result<std::string> {
    return Fail(ErrorCode::kIo, "broke");
  };
  const std::string id = IdOf(jobs.Start(Work(fails)).value());
  EXPECT_THAT(Ended(jobs, id), HasSubstr(R"("state":"failed")"));
  now_us += 3'599LL * 1'000'000;
  EXPECT_EQ(jobs.List("p").size(), 1U);
  now_us += 2'000'000;
  EXPECT_EQ(jobs.Get("p", id, 0, 0, {}).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace tidemark::server
