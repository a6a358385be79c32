"""Goal: a push reaches every view of its source or none, whatever ends it; sent again with its key,
it gives every view the rows once. Only rows that are too many for the log go to one view after the
other; an error in between says which have got them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from tidemark import Entity, FeatureStore, FeatureView, Field, FileSource, PushSource
from tidemark.errors import NotFoundError, UnknownFateError
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


@pytest.fixture
def blocked(tmp_path: Path) -> Iterator[tuple[FeatureStore, Callable[[], None]]]:
    """A store with a table and a view of a folder that nothing can be written to, and what mends
    that; there is one row in each.
    """
    store = FeatureStore(tmp_path / "store")
    files = FileSource("data/clicks", timestamp_field="event_timestamp")
    store.apply([USER, view("first"), view("later", PushSource("events", batch_source=files))])
    store.push("events", [row(1)], to="online_and_offline")
    folder = tmp_path / "store" / "data" / "clicks"
    folder.rename(tmp_path / "aside")
    folder.symlink_to(tmp_path / "nowhere" / "clicks")  # no folder can be made there

    def mend() -> None:
        folder.unlink()
        (tmp_path / "aside").rename(folder)

    yield store, mend
    store.close()


def test_a_file_that_cannot_be_written_is_when_it_can(
    blocked: tuple[FeatureStore, Callable[[], None]],
) -> None:
    store, mend = blocked
    with pytest.raises(UnknownFateError, match="are logged, but not in their batch source yet"):
        store.push("events", [row(2)], to="online_and_offline", idempotency_key="two")
    assert counts(store, "first") == [1, 2]
    with pytest.raises(UnknownFateError, match="are logged, but not in their batch source yet"):
        store.push("events", [row(2)], to="online_and_offline", idempotency_key="two")
    mend()
    again = store.push("events", [row(2)], to="online_and_offline", idempotency_key="two")
    assert [report.repeated for report in again.values()] == [True, True]
    for name in ("first", "later"):
        assert counts(store, name) == [1, 2]
        assert online(store, name) == 2


def test_many_rows_that_fail_at_a_later_view_say_which_have_them(
    blocked: tuple[FeatureStore, Callable[[], None]],
) -> None:
    store, mend = blocked
    many = 50_001  # more than go through the log
    times = [T0 + timedelta(seconds=2)] * many
    rows = pa.table({"user_id": [1] * many, "event_timestamp": times, "n": range(many)})
    with pytest.raises(UnknownFateError, match="written to first, and the other views have none"):
        store.push("events", rows, to="online_and_offline", idempotency_key="many")
    mend()
    again = store.push("events", rows, to="online_and_offline", idempotency_key="many")
    assert again["first"].repeated
    for name in ("first", "later"):
        assert counts(store, name) == sorted([1, *range(many)])


def test_of_a_push_that_is_torn_at_any_byte_no_view_has_anything(tmp_path: Path) -> None:
    """What a loss of power leaves of it is cut; sent again, every view gets it, once."""
    folder, before = tmp_path / "store", tmp_path / "before"
    names = ("first", "second", "third")
    key = {"to": "online_and_offline", "idempotency_key": "two"}
    with FeatureStore(folder) as store:
        store.apply([USER, *map(view, names)])
        store.push("events", [row(1)], to="online_and_offline")
        shutil.copytree(folder, before)
        (log,) = (folder / ".tidemark/log").glob("*/*.log")
        tokens = {name: told.token for name, told in store.push("events", [row(2)], **key).items()}
        written = log.read_bytes()
    frames = [found.start() for found in re.finditer(b"TMFR", written)]
    assert len(frames) == 6, "one of each push for each view"
    end = len(written.rstrip(b"\0"))
    for size in [*range(frames[3], end, 211), frames[5], end - 1, len(written)]:
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        log.write_bytes(written[:size])
        with FeatureStore(folder) as store:
            is_whole = size == len(written)
            for name in names:
                assert counts(store, name) == ([1, 2] if is_whole else [1]), size
                assert online(store, name) == (2 if is_whole else 1), size
                if is_whole:
                    found = store.get_training_features(name, at_least=tokens[name])
                    assert found.to_arrow().num_rows == 2
                else:
                    with pytest.raises(NotFoundError):
                        store.get_training_features(name, at_least=tokens[name]).to_arrow()
            again = store.push("events", [row(2)], **key)
            assert [told.repeated for told in again.values()] == [is_whole] * 3, size
            for name in names:
                assert counts(store, name) == [1, 2], size
                assert online(store, name) == 2, size


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
        assert seen in ([done] * 3, [done + 1] * 3), "acknowledged or not, in all views or none"
        done += 1
        again.push("events", [row(done)], to="online_and_offline", idempotency_key=str(done))
        for name in names:
            assert counts(again, name) == list(range(1, done + 1))
            assert online(again, name) == done
