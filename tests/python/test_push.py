"""Goal: a push reaches every view of its source, each whole or not at all. One that ends between
two views says which have got the rows; sent again with its key, it gives every view them once.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource
from tidemark.errors import UnknownFateError
from tidemark.types import Int64

T0 = datetime(2026, 1, 1, tzinfo=UTC)
USER = Entity(name="user", join_keys=[Field("user_id", Int64)])
EVENTS = PushSource("events")


def view(name: str, source: PushSource = EVENTS) -> FeatureView:
    return FeatureView(name=name, entities=[USER], schema=[Field("n", Int64)], source=source)


def row(n: int) -> dict[str, object]:
    return {"user_id": 1, "event_timestamp": T0 + timedelta(seconds=n), "n": n}


def counts(store: FeatureStore, name: str) -> list[int]:
    found: list[int] = store.get_training_features(name).to_arrow()["n"].to_pylist()
    return sorted(found)


def online(store: FeatureStore, name: str) -> int | None:
    found = store.get_online_features([f"{name}:n"], [{"user_id": 1}]).to_dict()["n"]
    return found[0]  # type: ignore[no-any-return]


def test_a_push_that_fails_at_a_later_view_says_which_have_the_rows(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path / "store")
    files = FileSource("data/clicks", timestamp_field="event_timestamp")
    store.apply([USER, view("first"), view("later", PushSource("events", batch_source=files))])
    store.push("events", [row(1)], to="online_and_offline")
    folder = tmp_path / "store" / "data" / "clicks"
    folder.rename(tmp_path / "aside")
    folder.symlink_to(tmp_path / "nowhere" / "clicks")  # no folder can be made there
    with pytest.raises(UnknownFateError, match="written to first, and views after"):
        store.push("events", [row(2)], to="online_and_offline", idempotency_key="two")
    folder.unlink()
    (tmp_path / "aside").rename(folder)
    again = store.push("events", [row(2)], to="online_and_offline", idempotency_key="two")
    assert again["first"].repeated
    for name in ("first", "later"):
        assert counts(store, name) == [1, 2]
        assert online(store, name) == 2


WRITER = """
import sys
from datetime import UTC, datetime, timedelta
from tidemark import FeatureStore
store = FeatureStore(sys.argv[1])
for n in range(int(sys.argv[2]), 100_000):
    row = {"user_id": 1, "event_timestamp": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n)}
    store.push("events", [row | {"n": n}], to="online_and_offline", idempotency_key=str(n))
    print(n, flush=True)
"""


def test_a_push_that_a_kill_cut_short_is_completed_by_sending_it_again(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    names = ("first", "second", "third")
    store.apply([USER, *map(view, names)])
    done = 0
    for acknowledged in (1, 3):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(done + 1)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            for line in child.stdout:
                if int(line) == done + acknowledged:
                    break
            else:
                pytest.fail("the writer ended by itself")
            child.kill()
            last = [int(line) for line in child.stdout]
            child.stdout.close()
        done = max([done + acknowledged, *last])
        again = FeatureStore(tmp_path)
        seen = [len(counts(again, name)) for name in names]
        assert all(each in (done, done + 1) for each in seen), "acknowledged are in all views"
        assert seen == sorted(seen, reverse=True), "views get the rows one after the other"
        done += 1
        again.push("events", [row(done)], to="online_and_offline", idempotency_key=str(done))
        for name in names:
            assert counts(again, name) == list(range(1, done + 1))
            assert online(again, name) == done
