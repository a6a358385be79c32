"""The Semantix ML Hub SDK's requests, in plain HTTP.

Goal: every rule of its wire: tables made and made again, frames in, periods out in pages that stay
as they were, lookups in the order asked, refusals that change nothing, and either header of a key.
What the SDK itself makes of it is in tests/clients/semantix.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest
from server_process import Answer, ServerProcess, create_key

BOTH = "online_and_offline"
TIMES = [
    "2022-07-14 18:08:05.488248",
    "2022-07-14T18:08:05.488249",
    "2022-07-14 18:08:05.488250+00:00",
    "2022-07-14T20:08:05.488251+02:00",
    "2022-07-14T18:08:05.488252Z",
    "2022-07-14",
]


class Hub:
    """A server as the SDK talks to it."""

    def __init__(self, server: ServerProcess, **headers: str) -> None:
        self.server = server
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        sent = {"Content-Type": "application/json", **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        text = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        return self.server.request(method, path, text, sent)

    def create(
        self, name: str, columns: dict[str, str], entities: tuple[str, ...] = ("id",)
    ) -> Answer:
        schema = [{"name": column, "type": kind} for column, kind in columns.items()]
        body = {"name": name, "entities": list(entities), "schema": schema}
        return self.send("POST", "/feature-view", body)

    def table(self, name: str, entities: tuple[str, ...] = ("id",), **columns: str) -> str:
        made = self.create(name, {**columns, "event_timestamp": "timestamp"}, entities)
        assert made.status == 201, made.text
        return name

    def push(self, table: str, df: Any, to: str | None = BOTH, **headers: str) -> Answer:
        body = {"df": df} if to is None else {"df": df, "to": to}
        return self.send("POST", f"/{table}/push", body, **headers)

    def pushed(self, table: str, **df: list[Any]) -> None:
        answer = self.push(table, df)
        assert 200 <= answer.status < 300, answer.text

    def listed(self) -> dict[str, Any]:
        answer = self.send("GET", "/list-feature-views")
        assert answer.status == 200, answer.text
        return {view["name"]: view for view in answer.json()["feature_views"]}

    def history(self, table: str, **asked: Any) -> Answer:
        query = "&".join(f"{name}={quote_plus(text_of(value))}" for name, value in asked.items())
        return self.send("GET", f"/{table}/historical-features?{query}")

    def rows(self, table: str, **asked: Any) -> list[dict[str, Any]]:
        answer = self.history(table, **asked)
        assert answer.status == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["data"]
        return found

    def online(self, table: str, features: Any, **entities: Any) -> Answer:
        asked = [{"entity": name, "value": values} for name, values in entities.items()]
        query = f"entities={quote_plus(json.dumps(asked))}"
        if features is not None:
            query += f"&feature_refs={quote_plus(json.dumps(features))}"
        return self.send("GET", f"/{table}/online-features?{query}")

    def found(self, table: str, features: Any, **entities: Any) -> dict[str, Any]:
        answer = self.online(table, features, **entities)
        assert answer.status == 200, answer.text
        columns: dict[str, Any] = answer.json()
        return columns


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def refused(answer: Answer, status: int = 400) -> str:
    """What an error says; its body has a detail and the request's id."""
    assert answer.status == status, answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    return str(answer.json()["detail"])


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with ServerProcess(tmp_path_factory.mktemp("semantix")) as server:
        yield Hub(server, x_api_key="any", authorization="Bearer any")


def test_types_of_schemas(hub: Hub) -> None:
    """Goal: the SDK's names of types, and the store's own; whole numbers are of 64 bits."""
    names = ["string", "int", "integer", "float", "double", "bool", "boolean", "timestamp", "bytes"]
    names += ["int32", "float32", "date", "list<int64>"]
    columns = {f"c{i}": name for i, name in enumerate(names)}
    hub.table("types", **columns)
    told = {each["name"]: each["type"] for each in hub.listed()["types"]["schema"]}
    assert [told[f"c{i}"] for i in range(len(names))] == [
        "string",
        "int64",
        "int64",
        "float64",
        "float64",
        "bool",
        "bool",
        "timestamp",
        "binary",
        "int32",
        "float32",
        "date",
        "list<int64>",
    ]
    assert told["event_timestamp"] == "timestamp"
    assert "colour" in refused(hub.create("odd", {"x": "colour", "event_timestamp": "timestamp"}))


def test_making_a_table_again(hub: Hub) -> None:
    columns = {"v1": "float", "event_timestamp": "timestamp"}
    assert hub.create("again", columns).status == 201
    hub.pushed("again", id=[1], v1=[0.5], event_timestamp=TIMES[:1])
    same = dict(reversed(columns.items())) | {"v1": "double"}
    assert hub.create("again", same).status == 200, "the same, however it is written"
    for other, named in (
        (columns | {"v1": "int"}, "v1"),
        (columns | {"v2": "int"}, "v2"),
        ({"v2": "float", "event_timestamp": "timestamp"}, "v1"),
    ):
        assert named in refused(hub.create("again", other), 409)
    assert "id" in refused(hub.create("again", columns, ("id", "shop")), 409)
    assert hub.found("again", ["v1"], id=[1]) == {"id": [1], "v1": [0.5]}


def test_a_table_that_is_deleted_is_gone_and_its_name_free(hub: Hub) -> None:
    hub.table("gone", v1="float")
    hub.pushed("gone", id=[1], v1=[0.5], event_timestamp=TIMES[:1])
    assert hub.send("POST", "/gone/delete-feature-view", {}).status == 200
    assert "gone" not in hub.listed()
    for answer in (
        hub.send("POST", "/gone/delete-feature-view", {}),
        hub.push("gone", {"id": [1], "v1": [0.5], "event_timestamp": TIMES[:1]}),
        hub.online("gone", ["v1"], id=[1]),
        hub.history("gone"),
    ):
        assert "gone" in refused(answer, 404)
    hub.table("gone", v1="float")
    assert hub.found("gone", ["v1"], id=[1]) == {"id": [1], "v1": [None]}
    assert hub.rows("gone") == []


def test_times_in_frames(hub: Hub) -> None:
    hub.table("times", n="int")
    hub.pushed("times", id=list(range(6)), n=list(range(6)), event_timestamp=TIMES)
    found = [(row["id"], row["event_timestamp"]) for row in hub.rows("times")]
    assert found == [
        (5, "2022-07-14T00:00:00Z"),
        *((i, f"2022-07-14T18:08:05.{488248 + i}Z") for i in range(5)),
    ]


def test_values_in_frames(hub: Hub) -> None:
    """Goal: what pandas makes of missing values, and texts with what looks like them."""
    hub.table("values", n="int", x="float", t="string", b="bool")
    frame = (
        '{"df": {"id": [1, 2, 3, 4], "n": [9223372036854775807, null, -1, 0],'
        ' "x": [NaN, Infinity, -Infinity, 1e-7],'
        ' "t": ["NaN", null, "-Infinity \\" NaN", ""], "b": [true, false, null, true],'
        f' "event_timestamp": {json.dumps(TIMES[:4])}}}, "to": "online_and_offline"}}'
    )
    assert hub.send("POST", "/values/push", frame).status == 200
    asked = hub.online("values", ["n", "x", "t", "b"], id=[1, 2, 3, 4])
    assert json.loads(asked.text) == {
        "id": [1, 2, 3, 4],
        "n": [9223372036854775807, None, -1, 0],
        "x": [None, "Infinity", "-Infinity", 1e-7],
        "t": ["NaN", None, '-Infinity " NaN', ""],
        "b": [True, False, None, True],
    }


@pytest.mark.parametrize(
    ("column", "value", "status"),
    [
        ("n", "x", 422),
        ("n", 2**63, 422),
        ("n", 1.5, 422),
        ("x", "much", 422),
        ("event_timestamp", "yesterday", 422),
        ("event_timestamp", None, 422),
        ("id", None, 422),
        ("id", [1], 422),
        ("other", 1, 400),
    ],
)
def test_a_frame_with_a_bad_value_changes_nothing(
    hub: Hub, column: str, value: Any, status: int
) -> None:
    table = f"bad_{column}_{abs(hash(repr(value))) % 10**9}"
    hub.table(table, n="int", x="float", id="int")
    df = {"id": [1, 2], "n": [1, 2], "x": [0.5, 1.5], "event_timestamp": TIMES[:2]}
    df[column] = [*df.get(column, [1, 1])[:1], value]
    answer = hub.push(table, df)
    assert 400 <= answer.status < 500
    assert column in refused(answer, answer.status)
    assert hub.rows(table) == []
    assert hub.found(table, ["n"], id=[1])["n"] == [None]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "[]",
        "null",
        '{"df": []}',
        '{"df": {"id": 1}}',
        '{"df": {"id": [1], "n": [1, 2]}}',
        '{"df": {"id": [1]}, "to": "sideways"}',
        '{"df": {"id": [1]}, "to": 5}',
        '{"df": ' * 2_000,
        b'{"df": {"id": ["\xff"]}}',
    ],
)
def test_hostile_pushes(hub: Hub, body: str | bytes) -> None:
    if "hostile" not in hub.listed():
        hub.table("hostile", n="int")
    for path in ("/hostile/push", "/feature-view"):
        answer = hub.send("POST", path, body)
        assert 400 <= answer.status < 500, answer.text
        refused(answer, answer.status)
    assert hub.rows("hostile") == []


def test_stores_that_a_push_is_for(hub: Hub) -> None:
    hub.table("targets", n="int")

    def frame(n: int) -> dict[str, list[Any]]:
        return {"id": [n], "n": [n], "event_timestamp": TIMES[:1]}

    for n, to in enumerate((None, BOTH, "online", "offline")):
        assert hub.push("targets", frame(n), to).status == 200
    assert hub.found("targets", ["n"], id=[0, 1, 2, 3])["n"] == [0, 1, 2, None]
    assert [row["id"] for row in hub.rows("targets")] == [0, 1, 3]


def test_the_latest_row_counts_and_the_later_of_equal_ones(hub: Hub) -> None:
    hub.table("latest", n="int")
    hub.pushed("latest", id=[1] * 3, n=[1, 2, 3], event_timestamp=[TIMES[1], TIMES[2], TIMES[0]])
    assert hub.found("latest", ["n"], id=[1])["n"] == [2]
    hub.pushed("latest", id=[1], n=[4], event_timestamp=TIMES[:1])
    assert hub.found("latest", ["n"], id=[1])["n"] == [2], "an older one is for training only"
    hub.pushed("latest", id=[1, 1], n=[5, 6], event_timestamp=[TIMES[2], TIMES[2]])
    assert hub.found("latest", ["n"], id=[1])["n"] == [6]
    assert len(hub.rows("latest")) == 6


def test_a_push_that_is_repeated(hub: Hub) -> None:
    """Goal: with a key it counts once; without, no lookup and no snapshot shows it."""
    hub.table("repeated", n="int")
    df = {"id": [1, 2], "n": [1, 2], "event_timestamp": TIMES[:2]}
    for _ in range(2):
        assert hub.push("repeated", df, Idempotency_Key="once").status == 200
    assert len(hub.rows("repeated")) == 2
    for _ in range(2):
        assert hub.push("repeated", df).status == 200
    assert hub.found("repeated", ["n"], id=[1, 2])["n"] == [1, 2]
    latest = hub.send("GET", "/v1/projects/default/tables/repeated/latest?format=ndjson")
    assert latest.status == 200, latest.text
    assert sorted(json.loads(line)["n"] for line in latest.text.splitlines()) == [1, 2]


def test_periods(hub: Hub) -> None:
    """Goal: both ends count, an end that is left out is open, a date is its first instant."""
    hub.table("periods", n="int")
    days = [f"2022-07-{day:02} 00:00:00" for day in range(1, 8)]
    moments = ["2022-07-03 00:00:00.000001", "2022-07-05 23:59:59.999999"]
    hub.pushed("periods", id=[1] * 9, n=list(range(9)), event_timestamp=days + moments)

    def asked(**period: str) -> list[int]:
        return [row["n"] for row in hub.rows("periods", **period)]

    assert asked() == [0, 1, 2, 7, 3, 4, 8, 5, 6]
    assert asked(initial_date="2022-07-03", end_date="2022-07-05") == [2, 7, 3, 4]
    assert asked(initial_date="2022-07-03 00:00:00.000001", end_date="2022-07-04") == [7, 3]
    assert asked(initial_date="2022-07-05T23:59:59.999999Z") == [8, 5, 6]
    assert asked(end_date="2022-07-02T02:00:00+02:00") == [0, 1]
    assert asked(initial_date="", end_date="") == asked()
    backwards = {"initial_date": "2022-07-06", "end_date": "2022-07-05"}
    assert "after the end" in refused(hub.history("periods", **backwards))
    for wrong in ({"initial_date": "soon"}, {"end_date": "2022-13-01"}):
        [name] = wrong
        answer = hub.history("periods", **wrong)
        assert 400 <= answer.status < 500
        assert name in refused(answer, answer.status)


def test_pages_stay_as_they_were(hub: Hub) -> None:
    """Goal: in event time order, whole, and not moved by rows written between two pages."""
    hub.table("pages", n="int")
    count = 25
    order = random.Random(3).sample(range(count), count)
    times = [f"2022-07-14 18:00:{n // 2:02}" for n in order]  # two rows of each time
    hub.pushed("pages", id=order, n=order, event_timestamp=times)
    asked = {"entities": ["id"], "feature_refs": ["n"], "page_size": "10"}
    first = hub.history("pages", page="1", **asked).json()
    assert first["pagination"]["total_pages"] == 3
    hub.pushed("pages", id=[99], n=[99], event_timestamp=["2000-01-01"])
    rows = first["data"]
    for page in ("2", "3"):
        rows += hub.history("pages", page=page, **asked).json()["data"]
    assert [row["n"] // 2 for row in rows] == [n // 2 for n in range(count)]
    assert sorted(row["n"] for row in rows) == list(range(count))
    assert set(rows[0]) == {"id", "event_timestamp", "n"}
    assert hub.history("pages", page="4", **asked).json()["data"] == []
    assert hub.rows("pages", page="1", **asked)[0]["n"] == 99, "asked anew"
    for name, wrong in (("page", "0"), ("page", "x"), ("page_size", "0"), ("page_size", "1e3")):
        assert name in refused(hub.history("pages", **{name: wrong}))


def test_names_that_are_asked_for(hub: Hub) -> None:
    hub.table("names", ("id", "shop"), id="int", shop="string", a="int", b="int")
    hub.pushed("names", id=[1, 1], shop=["x", "y"], a=[1, 2], b=[3, 4], event_timestamp=TIMES[:2])
    assert list(hub.rows("names", feature_refs=["b", "a"])[0]) == [
        "id",
        "shop",
        "event_timestamp",
        "b",
        "a",
    ]
    assert list(hub.rows("names", entities=["shop"], feature_refs=["names:b"])[0]) == [
        "shop",
        "event_timestamp",
        "b",
    ]
    # Columns come in the order asked, whatever the table's own.
    found = hub.online("names", ["b", "a"], shop=["y", "x", "z"], id=[1, 1, 1])
    assert found.text == ('{"shop":["y","x","z"],"id":[1,1,1],"b":[4,3,null],"a":[2,1,null]}')
    assert hub.found("names", None, id=[1], shop=["x"]) == {
        "id": [1],
        "shop": ["x"],
        "a": [1],
        "b": [3],
    }
    assert hub.found("names", ["a"], id=["1"], shop=["y"])["a"] == [2], "numbers may come as text"
    assert hub.found("names", ["a"], id=[], shop=[]) == {"id": [], "shop": [], "a": []}
    for answer, named in (
        (hub.online("names", ["c"], id=[1], shop=["x"]), "c"),
        (hub.online("names", ["a"], id=[1]), "shop"),
        (hub.online("names", ["a"], id=[1], shop=["x"], more=[1]), "more"),
        (hub.online("names", ["a"], id=[1, 2], shop=["x"]), "shop"),
        (hub.online("names", ["a"], id=[None], shop=["x"]), "id"),
        (hub.online("names", ["a"], id=["one"], shop=["x"]), "id"),
        (hub.online("names", "a", id=[1], shop=["x"]), "feature_refs"),
        (hub.send("GET", "/names/online-features"), "entities"),
        (hub.send("GET", "/names/historical-features?initial_date=%zz"), "%zz"),
        (hub.send("GET", "/names/online-features?entities=[]&feature_refs=%5"), "%5"),
        (hub.send("GET", "/names/online-features?entities=%5B1%5D"), "entities"),
        (hub.history("names", feature_refs=["c"]), "c"),
        (hub.history("names", entities=["nobody"]), "nobody"),
        (hub.history("names", entities="id"), "entities"),
    ):
        assert 400 <= answer.status < 500, answer.text
        assert named in refused(answer, answer.status)


def test_a_table_without_rows(tmp_path: Path) -> None:
    """Goal: it is empty, and not an error, though the types of its keys are not known yet."""
    with ServerProcess(tmp_path) as server:
        hub = Hub(server)
        hub.table("fresh", ("id", "shop"), a="int", b="int")
        asked = hub.history("fresh", page="1", page_size="10").json()
        assert (asked["data"], asked["pagination"]["total_pages"]) == ([], 1)
        found = hub.online("fresh", ["b"], shop=["x", "y"], id=[1, "z"])
        assert found.text == '{"shop":["x","y"],"id":[1,"z"],"b":[null,null]}'
        everything = hub.found("fresh", None, id=[1], shop=["x"])
        assert everything == {"id": [1], "shop": ["x"], "a": [None], "b": [None]}
        for answer, named in (
            (hub.online("fresh", ["c"], id=[1], shop=["x"]), "c"),
            (hub.online("fresh", ["a"], id=[1]), "shop"),
            (hub.online("fresh", ["a"], id=[1, 2], shop=["x"]), "shop"),
            (hub.history("fresh", feature_refs=["c"]), "c"),
            (hub.history("fresh", end_date="soon"), "end_date"),
        ):
            assert 400 <= answer.status < 500, answer.text
            assert named in refused(answer, answer.status)
        hub.pushed("fresh", id=[1], shop=["x"], a=[5], b=[6], event_timestamp=TIMES[:1])
        assert hub.found("fresh", ["b"], id=[1], shop=["x"])["b"] == [6]


def test_tables_made_elsewhere_are_listed_and_used(hub: Hub) -> None:
    schema = [{"name": "n", "type": "int64"}, {"name": "event_timestamp", "type": "timestamp"}]
    body = {"schema": {"name": "elsewhere", "entities": ["id"], "schema": schema}}
    assert hub.send("POST", "/v1/projects/default/tables", body).status == 201
    assert hub.listed()["elsewhere"]["entities"] == ["id"]
    hub.pushed("elsewhere", id=[7], n=[1], event_timestamp=TIMES[:1])
    asked = {"features": ["elsewhere:n"], "entities": {"id": [7]}}
    answer = hub.send("POST", "/get-online-features", asked).json()
    assert answer["results"][1]["values"] == [1]


def test_either_header_of_a_key(tmp_path: Path) -> None:
    writer = create_key(tmp_path, ["read,write,admin"])["key"]
    reader = create_key(tmp_path, ["read"])["key"]
    with ServerProcess(tmp_path) as server:
        for headers in (
            {"x_api_key": writer},
            {"authorization": f"Bearer {writer}"},
            {"x_api_key": writer, "authorization": f"Bearer {writer}"},
        ):
            assert Hub(server, **headers).send("GET", "/list-feature-views").status == 200
        refused(Hub(server).send("GET", "/list-feature-views"), 401)
        Hub(server, x_api_key=writer).table("keyed", n="int")
        weak = Hub(server, x_api_key=reader, authorization=f"Bearer {reader}")
        assert list(weak.listed()) == ["keyed"]
        refused(weak.create("more", {"event_timestamp": "timestamp"}), 403)
        refused(weak.push("keyed", {"id": [1], "n": [1], "event_timestamp": TIMES[:1]}), 403)
        refused(weak.send("POST", "/keyed/delete-feature-view", {}), 403)
