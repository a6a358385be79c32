"""The main job on real data, step by step: declare features, build a training set, look them up.

Will a flight arrive more than 15 minutes late, by what is known when it is scheduled to depart?
"""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from flights import Files, prepare

from tidemark import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource
from tidemark.types import Float64, Int64, String, UnixTimestamp

FOLDER = Path("build/demo")
CHECKED_FLIGHTS = 300
AIRCRAFT_TTL = dt.timedelta(days=30)


def step(title: str) -> None:
    """Opens a step of the demo."""
    step.number = getattr(step, "number", 0) + 1
    print(f"\n== {step.number}. {title}")


def definitions(files: Files) -> list[object]:
    """What the features are, where they come from, and for how long they hold."""
    airport = Entity(name="airport", join_keys=["airport"], value_type=String)
    carrier = Entity(name="carrier", join_keys=["carrier"], value_type=String)
    aircraft = Entity(name="aircraft", join_keys=["tailnum"], value_type=String)
    weather = FeatureView(
        name="weather",
        entities=[airport],
        ttl=dt.timedelta(hours=48),
        source=FileSource(
            path=files.weather.name,
            timestamp_field="observed_at",
            field_mapping={"origin": "airport"},
        ),
        description="hourly weather at the airport of departure",
    )
    carrier_delays = FeatureView(
        name="carrier_delays",
        entities=[carrier],
        ttl=dt.timedelta(days=2),
        schema=[
            Field(name="mean_delay_24h", dtype=Float64),
            Field(name="arrivals_24h", dtype=Int64),
        ],
        source=FileSource(path=files.carrier_delays.name, timestamp_field="known_at"),
    )
    aircraft_history = FeatureView(
        name="aircraft_history",
        entities=[aircraft],
        ttl=AIRCRAFT_TTL,
        schema=[
            Field(name="last_delay", dtype=Float64),
            Field(name="mean_delay_10", dtype=Float64),
            Field(name="flights_so_far", dtype=Int64),
            Field(name="last_arrival", dtype=UnixTimestamp),
        ],
        source=FileSource(path=files.aircraft_history.name, timestamp_field="known_at"),
    )
    late_flights = FeatureService(
        name="late_flights_v1",
        features=[
            weather[["temp", "wind_speed", "precip", "visib"]],
            carrier_delays,
            aircraft_history,
        ],
    )
    return [airport, carrier, aircraft, weather, carrier_delays, aircraft_history, late_flights]


def show_training_set(training: pd.DataFrame) -> None:
    """A few rows of the training set, one to a column, and how much of each column is null."""
    middle = len(training) // 2
    rows = training.iloc[[0, 1, middle, middle + 1, len(training) - 1]]
    shown = pd.DataFrame({name: rows[name].map(cell) for name in rows}).T
    shown.columns = [f"row {row:,}" for row in shown.columns]
    shown["nulls"] = [f"{share:.2%}" if share else "-" for share in training.isna().mean()]
    print(shown.to_string())


def cell(value: object) -> str:
    """A value as the training set is shown; `-` for a missing one."""
    if pd.isna(value):
        return "-"
    if isinstance(value, pd.Timestamp):
        return value.strftime("%b %d %H:%M")
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def prove_no_leakage(training: pd.DataFrame, files: Files) -> None:
    """No row knows of an arrival after its moment, and a plain search of the file says the same."""
    later = int((training["last_arrival"] > training["event_timestamp"]).sum())
    print(f"rows that know of an arrival later than their own moment: {later}")
    by_aircraft = dict(list(pd.read_parquet(files.aircraft_history).groupby("tailnum")))
    differing = 0
    for row in training.sample(CHECKED_FLIGHTS, random_state=1).itertuples():
        known = by_aircraft[row.tailnum]
        known = known[known["known_at"] <= row.event_timestamp]
        latest = known.loc[known["known_at"].idxmax()] if len(known) else None
        if latest is None or latest["known_at"] < row.event_timestamp - AIRCRAFT_TTL:
            differing += not pd.isna(row.last_delay)
        else:
            differing += row.last_delay != latest["last_delay"]
    print(f"flights searched by hand in the file: {CHECKED_FLIGHTS}, of which differ: {differing}")
    if later or differing:
        raise SystemExit("the training set knows the future")


def compare_online(store: FeatureStore, training: pd.DataFrame) -> None:
    """The online answer is the offline answer at this moment, every value and every status."""
    flights = training.drop_duplicates("tailnum", keep="last").tail(200)
    rows = flights[["airport", "carrier", "tailnum"]].to_dict("records")
    begin = time.perf_counter()
    answer = store.get_online_features("late_flights_v1", rows)
    online = answer.to_dict(include_status=True)
    seconds = time.perf_counter() - begin
    features = len(answer.statuses)
    print(f"looked up {len(rows)} flights x {features} features in {seconds * 1000:.1f} ms")
    now = pd.DataFrame(rows).assign(event_timestamp=pd.Timestamp.now("UTC"))
    job = store.get_historical_features(now, "late_flights_v1", include_status=True)
    offline = job.to_arrow().drop(["event_timestamp"]).to_pydict()
    differing = sum(
        offline_value != online_value
        for name in offline
        for offline_value, online_value in zip(offline[name], online[name], strict=True)
    )
    print(f"values and statuses that differ from the offline answer: {differing}")
    if differing:
        raise SystemExit("online and offline disagree")


def run_cli(*arguments: str) -> None:
    """Runs the command line program on the demo's store and shows what it prints."""
    print("$ tidemark " + " ".join(arguments), flush=True)
    program = Path(sys.executable).parent / "tidemark"
    subprocess.run([str(program), "--store", str(FOLDER), *arguments], check=True)


def main() -> None:
    """Runs all steps; any disagreement ends the demo with an error."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    step("Real data: every flight from New York City in a year, and the weather there")
    files = prepare(FOLDER, dt.datetime.now(dt.UTC))
    labels = pd.read_parquet(files.labels)
    print(f"{len(labels):,} flights, {labels['late'].mean():.1%} of them over 15 minutes late")
    print("(times are moved so that the last flight has just landed)")

    step("Open a store in a folder, and declare features over the files")
    store = FeatureStore(FOLDER)
    print(store.apply(definitions(files)))

    step("Build the training set: what was known when each flight was scheduled to depart")
    begin = time.perf_counter()
    training = store.get_historical_features(labels, "late_flights_v1").to_df()
    seconds = time.perf_counter() - begin
    print(f"{len(training):,} rows x {len(training.columns)} columns in {seconds:.2f} s")
    show_training_set(training)

    step("Prove that nothing leaked from the future")
    prove_no_leakage(training, files)

    step("Load the online store: the latest row of each airport, carrier and aircraft")
    for view in store.materialize_incremental(dt.datetime.now(dt.UTC)):
        counts = f"{view.rows_read:>9,} rows read, {view.rows_written:>5,} keys written"
        print(f"{view.view:<17}{counts} in {view.seconds:.2f} s")

    step("Look features up, and compare with the offline answer")
    compare_online(store, training)

    step("The same from the command line")
    tail = training["tailnum"].iloc[-1]
    run_cli("get-online", "--features", "aircraft_history", f"tailnum={tail}")
    run_cli("explain", "aircraft_history:last_delay", f"tailnum={tail}")


if __name__ == "__main__":
    main()
