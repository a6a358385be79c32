"""The main job on real data, step by step: declare features, build a training set, look features up.

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
        ttl=dt.timedelta(days=30),
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
        features=[weather[["temp", "wind_speed", "precip", "visib"]], carrier_delays, aircraft_history],
    )
    return [airport, carrier, aircraft, weather, carrier_delays, aircraft_history, late_flights]


def show_training_set(training: pd.DataFrame) -> None:
    """The head of the training set and how much of each column is null."""
    print(training.head(5).to_string(max_cols=9))
    nulls = training.isna().mean().loc[lambda share: share > 0]
    print("null rates:", ", ".join(f"{name} {share:.2%}" for name, share in nulls.items()) or "none")


def prove_no_leakage(training: pd.DataFrame, files: Files) -> None:
    """No row knows of an arrival after its moment, and a plain look through the file gives the same values."""
    later = training["last_arrival"] > training["event_timestamp"]
    print(f"rows that know of an arrival later than their own moment: {int(later.sum())}")
    history = pd.read_parquet(files.aircraft_history)
    by_aircraft = dict(list(history.groupby("tailnum")))
    differing = 0
    for row in training.sample(CHECKED_FLIGHTS, random_state=1).itertuples():
        known = by_aircraft[row.tailnum]
        known = known[known["known_at"] <= row.event_timestamp]
        fresh = known[known["known_at"] >= row.event_timestamp - pd.Timedelta(days=30)]
        stale = len(known) > 0 and (len(fresh) == 0 or known["known_at"].max() != fresh["known_at"].max())
        wanted = None if stale or len(fresh) == 0 else fresh.loc[fresh["known_at"].idxmax(), "last_delay"]
        same = pd.isna(row.last_delay) if wanted is None else row.last_delay == wanted
        differing += 0 if same else 1
    print(f"of {CHECKED_FLIGHTS} flights looked up by hand in the file, {differing} differ")
    if int(later.sum()) or differing:
        raise SystemExit("the training set knows the future")


def compare_online(store: FeatureStore, training: pd.DataFrame) -> None:
    """The online answer is the offline answer at this moment, value by value and status by status."""
    flights = training.drop_duplicates("tailnum", keep="last").tail(200)
    rows = flights[["airport", "carrier", "tailnum"]].to_dict("records")
    service = store.get_feature_service("late_flights_v1")
    begin = time.perf_counter()
    online = store.get_online_features(features=service, entity_rows=rows).to_dict(include_status=True)
    seconds = time.perf_counter() - begin
    print(f"looked up {len(rows)} flights x {len(online) // 2} features in {seconds * 1000:.1f} ms")
    now = pd.DataFrame(rows).assign(event_timestamp=pd.Timestamp.now("UTC"))
    offline = store.get_historical_features(now, features=service, include_status=True).to_arrow()
    differing = 0
    for name in offline.column_names[4:]:
        differing += sum(a != b for a, b in zip(offline[name].to_pylist(), online[name], strict=True))
    print(f"values and statuses that differ from the offline answer: {differing}")
    if differing:
        raise SystemExit("online and offline disagree")


def run_cli(*arguments: str) -> None:
    """Runs the command line program on the demo's store and shows what it prints."""
    print("$ tidemark " + " ".join(arguments))
    program = Path(sys.executable).parent / "tidemark"
    subprocess.run([str(program), "--store", str(FOLDER), *arguments], check=True)


def main() -> None:
    """Runs all steps; any disagreement ends the demo with an error."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    step("Real data: flights from New York City and the weather there")
    files = prepare(FOLDER, dt.datetime.now(dt.UTC))
    labels = pd.read_parquet(files.labels)
    print(f"{len(labels):,} flights, {labels['late'].mean():.1%} of them over 15 minutes late")

    step("Open a store in a folder and declare features over the files")
    store = FeatureStore(FOLDER)
    print(store.apply(definitions(files)))
    print(store.get_feature_view("carrier_delays"))

    step("Build the training set: what was known when each flight was scheduled to depart")
    begin = time.perf_counter()
    job = store.get_historical_features(labels, features=store.get_feature_service("late_flights_v1"))
    training = job.to_df()
    print(f"{len(training):,} rows x {len(training.columns)} columns in {time.perf_counter() - begin:.2f} s")
    show_training_set(training)

    step("Prove that nothing leaked from the future")
    prove_no_leakage(training, files)

    step("Load the online store")
    for view in store.materialize_incremental(dt.datetime.now(dt.UTC)):
        print(f"{view.view}: {view.rows_read:,} rows read, {view.rows_written:,} keys written in {view.seconds:.2f} s")

    step("Look features up, and compare with the offline answer")
    compare_online(store, training)

    step("The same from the command line")
    tail = training["tailnum"].iloc[-1]
    run_cli("get-online", "--features", "aircraft_history", f"tailnum={tail}")
    run_cli("explain", "aircraft_history:last_delay", f"tailnum={tail}")


if __name__ == "__main__":
    main()
