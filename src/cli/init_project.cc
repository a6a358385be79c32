// Drivers and their trips: small enough to read, with a created time so that late rows can be seen.
#include "cli/init_project.h"

#include <fmt/format.h>

#include <chrono>

namespace tidemark::cli {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::sys_seconds;

constexpr int kDrivers = 5;
constexpr int kDays = 14;
constexpr int kOrders = 40;

constexpr const char* kYaml =
    R"(# What features there are. `tidemark plan` shows what would change, `tidemark apply` registers it.
entities:
  - name: driver
    join_keys: [{name: driver_id, type: int64}]
    description: Somebody who drives

feature_views:
  - name: driver_stats
    entities: [driver]
    ttl: 2d  # an older row is stale: its features are null
    fields:
      - {name: trips_today, type: int64}
      - {name: rating, type: float64, description: Mean of the last 100 trips}
    source:
      type: file
      path: data/driver_stats.csv
      timestamp_field: event_timestamp
      created_timestamp_column: created
    description: How a driver does, hour by hour

feature_services:
  - name: order_model
    features: [driver_stats]
    description: What the model of late orders is trained on and served with
)";

constexpr const char* kPython =
    R"(# What features there are. `tidemark plan` shows what would change, `tidemark apply` registers it.
from datetime import timedelta

from tidemark import Entity, FeatureService, FeatureView, Field, FileSource
from tidemark.types import Float64, Int64

driver = Entity(name="driver", join_keys={"driver_id": Int64}, description="Somebody who drives")

driver_stats = FeatureView(
    name="driver_stats",
    entities=[driver],
    ttl=timedelta(days=2),  # an older row is stale: its features are null
    schema=[
        Field("trips_today", Int64),
        Field("rating", Float64, description="Mean of the last 100 trips"),
    ],
    source=FileSource(
        "data/driver_stats.csv",
        timestamp_field="event_timestamp",
        created_timestamp_column="created",
    ),
    description="How a driver does, hour by hour",
)

order_model = FeatureService(
    name="order_model",
    features=[driver_stats],
    description="What the model of late orders is trained on and served with",
)
)";

constexpr const char* kReadme = R"(# {name}

A small feature store: {drivers} drivers, {days} days of statistics, {orders} orders to learn from.

    tidemark apply                          # register the definitions in {definitions}
    tidemark views list
    tidemark get-historical data/orders.csv --service order_model
    tidemark get-historical data/orders.csv --service order_model --out training.parquet
    tidemark materialize-incremental        # load the online store
    tidemark get-online --service order_model --status driver_id=1001 driver_id=1002
    tidemark explain driver_stats:rating driver_id=1001

The same in Python:

    from tidemark import FeatureStore

    store = FeatureStore(".")
    store.apply("{definitions}")
    training = store.get_historical_features("data/orders.csv", "order_model").to_arrow()
    store.materialize_incremental("{end}")
    store.get_online_features("order_model", [{{"driver_id": 1001}}]).to_dict()

* `tidemark.yaml`: the store's settings.
* `{definitions}`: the definitions.
* `data/driver_stats.csv`: one row per driver and hour. `created` says when a row became known; a tenth of
  them came an hour late.
* `data/orders.csv`: entity rows, with the label `late`.
)";

/// Numbers that look random and are the same everywhere.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}

  /// 0 to `sides` - 1.
  int Roll(int sides) {
    // Knuth's MMIX constants of a linear congruential generator; the high bits are the good ones.
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<int>((state_ >> 33) % static_cast<std::uint64_t>(sides));
  }

 private:
  std::uint64_t state_;
};

std::string TimeText(sys_seconds time) {
  const auto day = std::chrono::floor<days>(time);
  const std::chrono::year_month_day date{day};
  const auto second = (time - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600,
                     second / 60 % 60, second % 60);
}

std::string DriverStats(sys_seconds end) {
  std::string out = "driver_id,event_timestamp,created,trips_today,rating\n";
  Dice dice(1);
  for (int driver = 0; driver < kDrivers; ++driver) {
    int trips = 0;
    int rating = 350 + dice.Roll(100);  // hundredths
    for (int hour = kDays * 24; hour > 0; --hour) {
      const sys_seconds time = end - hours(hour);
      if ((time - std::chrono::floor<days>(time)) < hours(1)) trips = 0;
      trips += dice.Roll(3);
      rating = std::min(500, std::max(100, rating + dice.Roll(11) - 5));
      const sys_seconds created = time + minutes(dice.Roll(10) == 0 ? 60 : 1);
      // A missing count is a null, not a zero.
      const std::string count = dice.Roll(20) == 0 ? "" : fmt::format("{}", trips);
      out += fmt::format("{},{},{},{},{}.{:02}\n", 1001 + driver, TimeText(time), TimeText(created), count,
                         rating / 100, rating % 100);
    }
  }
  return out;
}

std::string Orders(sys_seconds end) {
  std::string out = "order_id,driver_id,event_timestamp,late\n";
  Dice dice(2);
  for (int order = 0; order < kOrders; ++order) {
    const sys_seconds time = end - hours(1 + dice.Roll(kDays * 24)) + minutes(dice.Roll(60));
    out += fmt::format("{},{},{},{}\n", 1 + order, 1001 + dice.Roll(kDrivers + 1), TimeText(time),
                       dice.Roll(4) == 0 ? "true" : "false");
  }
  return out;
}

}  // namespace

std::map<std::string, std::string> ProjectFiles(const ProjectOptions& options) {
  const auto end = std::chrono::floor<hours>(
      std::chrono::sys_time<std::chrono::microseconds>(std::chrono::microseconds(options.now_us)));
  const std::string definitions = options.python ? "features.py" : "features.yaml";
  return {{"tidemark.yaml", fmt::format("project: {}\n", options.name)},
          {definitions, options.python ? kPython : kYaml},
          {"data/driver_stats.csv", DriverStats(end)},
          {"data/orders.csv", Orders(end)},
          {"README.md",
           fmt::format(fmt::runtime(kReadme), fmt::arg("name", options.name), fmt::arg("drivers", kDrivers),
                       fmt::arg("days", kDays), fmt::arg("orders", kOrders),
                       fmt::arg("definitions", definitions), fmt::arg("end", TimeText(end)))}};
}

}  // namespace tidemark::cli
