"""Feast's HTTP routes, called as programs call them that were written for a Feast feature server.

Goal: every rule of the request, of the values and of the errors, hostile input included. What
Feast's own client and server say to the same is in tests/clients/feast.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from server_process import Answer, ServerProcess, create_key

from tidemark import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
)
from tidemark.types import (
    Bool,
    Bytes,
    Date,
    Decimal,
    Float32,
    Float64,
    Int32,
    Int64,
    List,
    Map,
    String,
    Struct,
    Timestamp,
)

GET = "/get-online-features"
EPOCH = "1970-01-01T00:00:00Z"
SEEN_WITHIN_SECONDS = 1.5

KINDS: dict[str, Any] = {
    "flag": Bool,
    "small": Int32,
    "large": Int64,
    "single": Float32,
    "number": Float64,
    "text": String,
    "blob": Bytes,
    "at": Timestamp,
    "day": Date,
    "price": Decimal(10, 2),
    "numbers": List(Int64),
    "place": Struct({"city": String, "zips": List(Int32)}),
    "counts": Map(String, Float64),
}
KIND_VALUES: dict[str, Any] = {
    "flag": True,
    "small": -7,
    "large": 2**63 - 1,
    "single": 0.1,
    "number": 1e-07,
    "text": 'q"\\\n\u00e9\u4e16\U0001f600',
    "blob": base64.b64encode(b"\x00\xff").decode(),
    "at": 1_700_000_000,
    "day": "2026-01-31",
    "price": "12.50",
    "numbers": [1, None, 2**60],
    "place": {"city": "Oslo", "zips": [1, 2]},
    "counts": {"a": 0.5, "b": None},
}


def define(folder: Path) -> None:
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    word = Entity(name="word", join_keys=[Field("word", String)])
    token = Entity(name="token", join_keys=[Field("token", Bytes)])
    switch = Entity(name="switch", join_keys=[Field("on", Bool)])
    moment = Entity(name="moment", join_keys=[Field("moment", Timestamp)])
    views = [
        FeatureView(
            name="kinds",
            entities=[user],
            schema=[Field(name, kind) for name, kind in KINDS.items()],
            source=PushSource(name="kinds_push"),
        ),
        FeatureView(name="short", entities=[user], ttl="1h", schema=[Field("clicks", Int64)]),
        FeatureView(name="alone", entities=[], schema=[Field("total", Int64)]),
        FeatureView(
            name="shared_a",
            entities=[user],
            schema=[Field("score", Float64)],
            source=PushSource(name="shared"),
        ),
        FeatureView(
            name="shared_b",
            entities=[user, word],
            schema=[Field("rank", Int32)],
            source=PushSource(name="shared"),
        ),
    ]
    views += [
        FeatureView(name=f"by_{entity.name}", entities=[entity], schema=[Field("n", Int64)])
        for entity in (word, token, switch, moment)
    ]
    services = [FeatureService(name="some", features=[views[0][["number", "text"]], views[1]])]
    with FeatureStore(str(folder)) as store:
        store.apply([user, word, token, switch, moment, *views, *services])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder = tmp_path_factory.mktemp("feast")
    define(folder)
    with ServerProcess(folder, "--entities-max", "20000", "--rows-max", "20000") as running:
        yield running


def get(server: ServerProcess, entities: dict[str, Any], *features: str, **more: Any) -> Answer:
    return server.post_json(GET, {"entities": entities, "features": features, **more})


def columns(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer.text
    body = answer.json()
    names = body["metadata"]["feature_names"]
    return dict(zip(names, body["results"], strict=True))


def values(answer: Answer, name: str) -> list[Any]:
    found: list[Any] = columns(answer)[name]["values"]
    return found


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def write(server: ServerProcess, view: str, /, **df: list[Any]) -> Answer:
    count = len(next(iter(df.values())))
    df.setdefault("event_timestamp", [now().isoformat()] * count)
    return server.post_json("/write-to-online-store", {"feature_view_name": view, "df": df})


def message(answer: Answer) -> str:
    """Of an error, which is JSON whatever it is."""
    assert 400 <= answer.status < 500, (answer.status, answer.text)
    assert answer.headers["content-type"] == "application/json"
    detail = answer.json()
    return detail if isinstance(detail, str) else json.dumps(detail)


def test_values_of_every_type(server: ServerProcess) -> None:
    row = {name: [value, None] for name, value in KIND_VALUES.items()}
    assert write(server, "kinds", user_id=[1, 2], **row).text == "null"
    found = columns(get(server, {"user_id": [1, 2, 3]}, *[f"kinds:{name}" for name in KINDS]))
    for name, value in KIND_VALUES.items():
        expected = 0.10000000149011612 if name == "single" else value
        assert found[name]["values"] == [expected, None, None], name
        assert found[name]["statuses"] == ["PRESENT", "NULL_VALUE", "NOT_FOUND"], name
    assert list(found) == ["user_id", *KINDS]
    assert found["user_id"] == {
        "values": [1, 2, 3],
        "statuses": ["PRESENT"] * 3,
        "event_timestamps": [EPOCH] * 3,
    }


def test_numbers_that_json_has_not(server: ServerProcess) -> None:
    row: dict[str, list[Any]] = {name: [None] * 3 for name in KINDS}
    row["number"] = ["NaN", "Infinity", "-Infinity"]
    assert write(server, "kinds", user_id=[11, 12, 13], **row).status == 200
    answer = get(server, {"user_id": [11, 12, 13]}, "kinds:number")
    assert values(answer, "number") == ["NaN", "Infinity", "-Infinity"]


def test_what_feast_coerces_in_frames(server: ServerProcess) -> None:
    row = {name: [None] for name in KINDS}
    row |= {"large": ["42"], "small": [3.9], "text": [7], "flag": [1]}
    row |= {"place": ['{"city": "Rome", "zips": []}'], "counts": ['{"x": 1}']}
    assert write(server, "kinds", user_id=["21"], **row).status == 200
    names = ["large", "small", "text", "flag", "place", "counts"]
    found = columns(get(server, {"user_id": [21]}, *[f"kinds:{name}" for name in names]))
    shown = [found[name]["values"][0] for name in names]
    assert shown == [42, 3, "7", True, {"city": "Rome", "zips": []}, {"x": 1.0}]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("large", 2**63),
        ("large", "x"),
        ("small", 2**31),
        ("number", "0.5"),
        ("flag", 2),
        ("flag", "maybe"),
        ("at", "2024-01-01T00:00:00Z"),
        ("at", 2**62),
        ("blob", "not base64!"),
        ("numbers", 1),
        ("numbers", ["x"]),
        ("place", {"city": "Rome", "more": 1}),
        ("place", "{"),
        ("price", "1.234"),
        ("user_id", None),
        ("user_id", "x"),
        ("event_timestamp", "yesterday"),
        ("event_timestamp", None),
    ],
)
def test_a_frame_with_a_bad_value_changes_nothing(
    server: ServerProcess, column: str, value: Any
) -> None:
    row: dict[str, list[Any]] = {name: [None, None] for name in KINDS}
    row |= {"user_id": [31, 32], "event_timestamp": [now().isoformat()] * 2, "text": ["a", "b"]}
    row[column] = [row[column][0] if column == "user_id" else None, value]
    if column == "event_timestamp":
        row[column] = [now().isoformat(), value]
    refused = write(server, "kinds", **row)
    assert column in message(refused)
    assert columns(get(server, {"user_id": [31, 32]}, "kinds:text"))["text"]["statuses"] == [
        "NOT_FOUND",
        "NOT_FOUND",
    ]


def test_the_newest_of_a_frames_rows_wins(server: ServerProcess) -> None:
    times = [now() - dt.timedelta(minutes=m) for m in (3, 1, 2)]
    written = write(
        server,
        "short",
        user_id=[41] * 3,
        clicks=[1, 2, 3],
        event_timestamp=[t.isoformat() for t in times],
        created=[None] * 3,
    )
    assert written.status == 200
    assert values(get(server, {"user_id": [41]}, "short:clicks"), "clicks") == [2]


def test_ttl_and_event_times(server: ServerProcess) -> None:
    """Goal: an expired value is null and says why; times have 0, 3 or 6 digits."""
    base = now().replace(microsecond=0)
    times = [
        base - dt.timedelta(hours=2),
        base - dt.timedelta(seconds=5),
        base - dt.timedelta(microseconds=500_000),
        base - dt.timedelta(microseconds=1),
    ]
    df = {"user_id": [51, 52, 53, 54], "clicks": [1, 2, 3, 4]}
    assert (
        write(server, "short", **df, event_timestamp=[t.isoformat() for t in times]).status == 200
    )
    found = columns(get(server, {"user_id": [51, 52, 53, 54, 55]}, "short:clicks"))["clicks"]
    assert found["values"] == [None, 2, 3, 4, None]
    assert found["statuses"] == ["OUTSIDE_MAX_AGE", *["PRESENT"] * 3, "NOT_FOUND"]
    second = "%Y-%m-%dT%H:%M:%S"
    assert found["event_timestamps"] == [
        times[0].strftime(second) + "Z",
        times[1].strftime(second) + "Z",
        times[2].strftime(second) + ".500Z",
        times[3].strftime(second) + ".999999Z",
        EPOCH,
    ]


def test_event_times_as_text(server: ServerProcess) -> None:
    """Goal: with a zone or without one, which is UTC; a column of Python's own spelling, too."""
    texts = [
        "2024-01-01T00:00:01",
        "2024-01-01 00:00:02",
        "2024-01-01T02:00:03+02:00",
        "2024-01-01T00:00:04.5Z",
        "2024-01-01 00:00:05.000006+00:00",
        "2024-01-01",
    ]
    keys = list(range(8100, 8106))
    row: dict[str, list[Any]] = {name: [None] * 6 for name in KINDS}
    row |= {"large": keys, "event_timestamp": texts, "created": [None] * 6, "unknown": [1] * 6}
    assert write(server, "kinds", user_id=keys, **row).status == 200
    found = columns(get(server, {"user_id": keys}, "kinds:large"))["large"]
    assert found["values"] == keys
    assert found["event_timestamps"] == [
        "2024-01-01T00:00:01Z",
        "2024-01-01T00:00:02Z",
        "2024-01-01T00:00:03Z",
        "2024-01-01T00:00:04.500Z",
        "2024-01-01T00:00:05.000006Z",
        "2024-01-01T00:00:00Z",
    ]


def test_rows_come_in_the_order_asked_for(server: ServerProcess) -> None:
    """Goal: duplicates are answered each; columns that no view has are passed over."""
    assert write(server, "short", user_id=[91, 92], clicks=[1, 2]).status == 200
    asked = {"user_id": [92, 91, 92, 90, 92], "nobody": [None, {}, "x", 1, []]}
    found = columns(get(server, asked, "short:clicks"))
    assert found["clicks"]["values"] == [2, 1, 2, None, 2]
    assert list(found) == ["user_id", "clicks"]
    answer = get(server, asked, "short:clicks").json()
    assert list(answer) == ["results", "metadata"], "no status, which is false"
    assert list(answer["metadata"]) == ["feature_names"], "versions only on request"


@pytest.mark.parametrize(
    ("path", "body", "status", "name"),
    [
        (GET, {"entities": {"x": [1]}, "features": ["no:f"]}, 404, "FeatureViewNotFoundException"),
        (
            GET,
            {"entities": {"x": [1]}, "feature_service": "no"},
            404,
            "FeatureServiceNotFoundException",
        ),
        ("/push", {"push_source_name": "no", "df": {}}, 422, "PushSourceNotFoundException"),
        (
            "/write-to-online-store",
            {"feature_view_name": "no", "df": {}},
            404,
            "FeastObjectNotFoundException",
        ),
    ],
)
def test_errors_that_have_a_class(
    server: ServerProcess, path: str, body: Any, status: int, name: str
) -> None:
    """Goal: JSON within a JSON text, from which the client raises its own exception."""
    answer = server.post_json(path, body)
    assert answer.status == status, answer.text
    told = json.loads(answer.json())
    assert (told["module"], told["class"]) == ("feast.errors", name)
    assert "no" in told["message"]


def test_routes_and_shapes(server: ServerProcess) -> None:
    health = server.get("/health")
    assert (health.status, health.body) == (200, b"")
    missing = server.post_json("/get-online-features/x", {})
    assert (missing.status, missing.json()["detail"]) == (404, "Not Found")
    wrong_method = server.get("/push")
    assert (wrong_method.status, wrong_method.json()) == (405, {"detail": "Method Not Allowed"})
    for path, member in (("/push", "df"), ("/write-to-online-store", "feature_view_name")):
        answer = server.post_json(path, {"df" if member != "df" else "push_source_name": "x"})
        assert answer.status == 422
        for problem in answer.json()["detail"]:
            assert {"type", "loc", "msg", "input"} <= set(problem)
        assert ["body", member] in [problem["loc"] for problem in answer.json()["detail"]]
    df = {"user_id": [95], "clicks": [1], "event_timestamp": [now().isoformat()]}
    flags = {"allow_registry_cache": False, "transform_on_write": True}
    body = {"feature_view_name": "short", "df": df, **flags}
    assert server.post_json("/write-to-online-store", body).text == "null"
    for path in ("/search", "/retrieve-online-documents"):
        answer = server.post_json(path, {"features": ["short:clicks"], "query": [0.5], "top_k": 1})
        assert answer.status == 500, "as of a Feast server without a vector store"
        assert isinstance(answer.json(), str)


def test_incremental_loads_begin_where_the_last_one_ended(tmp_path: Path) -> None:
    """Goal: the first one loads all there is, as ttl says at reads; Feast would stop a year ago."""
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    ages = {1: dt.timedelta(hours=1), 2: dt.timedelta(days=30), 3: dt.timedelta(days=400)}
    lines = [f"{key},{(now() - age).isoformat()},{key}" for key, age in ages.items()]
    views = []
    for name, ttl in (("kept", None), ("short", "1d")):
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(["user_id,event_timestamp,n", *lines]) + "\n")
        source = FileSource(str(path), timestamp_field="event_timestamp")
        fields = [Field("n", Int64)]
        views.append(FeatureView(name=name, entities=[user], ttl=ttl, schema=fields, source=source))
    with FeatureStore(str(tmp_path)) as store:
        store.apply(views)
    with ServerProcess(tmp_path) as server:

        def statuses(view: str) -> list[str]:
            answer = get(server, {"user_id": [1, 2, 3]}, f"{view}:n")
            found: list[str] = columns(answer)["n"]["statuses"]
            return found

        end = (now() - dt.timedelta(days=10)).isoformat()
        assert server.post_json("/materialize-incremental", {"end_ts": end}).text == "null"
        assert statuses("kept") == ["NOT_FOUND", "PRESENT", "PRESENT"]
        body = {"end_ts": now().isoformat()}
        assert server.post_json("/materialize-incremental", body).text == "null"
        assert statuses("kept") == ["PRESENT", "PRESENT", "PRESENT"]
        assert statuses("short") == ["PRESENT", "OUTSIDE_MAX_AGE", "OUTSIDE_MAX_AGE"]


def test_keys_of_every_type(server: ServerProcess) -> None:
    blob = base64.b64encode(b"\x00k").decode()
    keys = {"word": ["\u00e9", ""], "token": [blob, ""], "on": [True, False], "moment": [5, -5]}
    for (key, given), entity in zip(
        keys.items(), ("word", "token", "switch", "moment"), strict=True
    ):
        assert write(server, f"by_{entity}", **{key: given, "n": [1, 2]}).status == 200
        answer = get(server, {key: list(reversed(given))}, f"by_{entity}:n")
        assert values(answer, "n") == [2, 1]
        assert values(answer, key) == list(reversed(given))


def test_a_view_without_entities(server: ServerProcess) -> None:
    assert write(server, "alone", total=[9]).status == 200
    assert values(get(server, {"any": [1, 2]}, "alone:total"), "total") == [9, 9]


def test_a_service_and_full_names(server: ServerProcess) -> None:
    request = {"entities": {"user_id": [1]}, "feature_service": "some", "full_feature_names": True}
    found = columns(server.post_json(GET, request))
    assert list(found) == ["user_id", "kinds__number", "kinds__text", "short__clicks"]


def test_versions_of_views(server: ServerProcess) -> None:
    """Goal: the present version may be named, another one is refused with what there is."""
    answer = get(
        server,
        {"user_id": [1]},
        "kinds@v0:number",
        include_feature_view_version_metadata=True,
        full_feature_names=True,
    )
    assert list(columns(answer)) == ["user_id", "kinds@v0__number"]
    assert answer.json()["metadata"]["feature_view_metadata"] == [{"name": "kinds"}]
    assert "v0" in message(get(server, {"user_id": [1]}, "kinds@v2:number"))


def test_push_to_several_views_online_offline_and_both(server: ServerProcess) -> None:
    df = {
        "user_id": [61, 62],
        "word": ["a", "b"],
        "score": [0.5, 1.5],
        "rank": [1, 2],
        "event_timestamp": [now().isoformat()] * 2,
        "created": [now().isoformat(), None],
    }
    body: dict[str, Any] = {"push_source_name": "shared", "df": df}
    entities = {"user_id": [61, 62], "word": ["a", "b"]}
    features = ["shared_a:score", "shared_b:rank"]

    def ranks() -> list[Any]:
        return values(get(server, entities, *features), "rank")

    pushed = server.post_json("/push", body | {"to": "offline"})
    assert (pushed.status, pushed.text) == (200, "")
    assert ranks() == [None, None]
    assert server.post_json("/push", body).status == 200
    assert ranks() == [1, 2]
    assert (
        server.post_json(
            "/push", body | {"df": df | {"rank": [3, 4]}, "to": "online_and_offline"}
        ).status
        == 200
    )
    assert ranks() == [3, 4]
    refused = server.post_json("/push", body | {"df": df | {"rank": [5, "x"], "score": [9.5, 9.5]}})
    assert "rank" in message(refused)
    assert values(get(server, entities, *features), "score") == [0.5, 1.5]


def test_many_entities_are_answered_elsewhere(server: ServerProcess) -> None:
    """Goal: more than a connection's own thread takes on, in the same form."""
    count = 15_000
    df = {"user_id": list(range(1000, 1000 + count)), "clicks": list(range(count))}
    assert write(server, "short", **df).status == 200
    answer = get(server, {"user_id": [*range(1000, 1000 + count), 1]}, "short:clicks")
    found = columns(answer)["clicks"]
    assert found["values"] == [*range(count), None]
    assert found["statuses"] == ["PRESENT"] * count + ["NOT_FOUND"]
    assert "20000" in message(get(server, {"user_id": list(range(20_001))}, "short:clicks"))
    assert "20000" in message(write(server, "short", user_id=[1] * 20_001, clicks=[1] * 20_001))


HOSTILE: list[bytes] = [
    b"",
    b"{",
    b"[" * 100_000,
    b'{"entities":' * 5_000,
    b'{"entities": {"user_id": [1]}, "features": ["kinds:text"]',
    b'{"entities": {"user_id": [1]}, "features": ["kinds:text"]} x',
    b'{"entities": {"user_id": [1]}, "features": ["kinds:text"]}{}',
    b'{"entities": {"user_id": [1 2]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [1,]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [\xff]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": ["\xff"]}, "features": ["kinds:text"]}',
    b'{"entities": {"word": ["\\ud800"]}, "features": ["by_word:n"]}',
    b'{"entities": {"word": ["\\x"]}, "features": ["by_word:n"]}',
    b'{"entities": {"user_id": [NaN]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [1e400]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [1.5]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [99999999999999999999]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [true]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [null]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [[1]]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [{}]}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": {}}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": []}, "features": ["kinds:text"]}',
    b'{"entities": {"user_id": [1], "x": [1, 2]}, "features": ["kinds:text"]}',
    b'{"entities": {"on": [2]}, "features": ["by_switch:n"]}',
    b'{"entities": {"moment": [9223372036854775807]}, "features": ["by_moment:n"]}',
    b'{"entities": {"moment": [-9223372036854775808]}, "features": ["by_moment:n"]}',
    b'{"entities": {"token": ["*"]}, "features": ["by_token:n"]}',
    b'{"entities": {}, "features": []}',
    b'{"entities": {"user_id": [1]}, "features": [":text"]}',
    b'{"entities": {"user_id": [1]}, "features": ["kinds:"]}',
    b'{"entities": {"user_id": [1]}, "features": ["kinds:a:b"]}',
    b'{"entities": {"user_id": [1]}, "features": ["kinds@v99999999999999999999:text"]}',
    b'{"entities": {"user_id": [1]}, "features": [["kinds:text"]]}',
    b'{"entities": {"user_id": [1]}, "features": ["kinds:text" "kinds:flag"]}',
    b'{"entities": {"user_id": [1]}, "features": null}',
    b'{"entities": {"user_id": [1]}, "feature_service": 1}',
    b'{"entities": {"user_id": [1]}, "feature_service": "\xc3("}',
    b'{"entities": {"user_id": [1]}, "feature_service": "../../x"}',
    b'{"entities": {"user_id": [1]}, "features": ["kinds:text"], "full_feature_names": 2}',
]


@pytest.mark.parametrize("body", HOSTILE)
def test_hostile_requests(server: ServerProcess, body: bytes) -> None:
    for path in (GET, "/push", "/write-to-online-store", "/materialize", "/search"):
        if path == "/materialize" and body.startswith(b"{") and body.endswith(b"}"):
            continue  # fields that it does not know are passed over
        answer = server.request("POST", path, body, {"Content-Type": "application/json"})
        if path == "/search" and answer.status == 500:
            continue  # there is no vector store
        message(answer)
    assert server.get("/health").status == 200


FRAMES: list[Any] = [
    {},
    {"user_id": 1},
    {"user_id": {"0": 1}},
    {"user_id": [1], "clicks": [1, 2]},
    {"user_id": [1], "clicks": [1]},
    {"user_id": [1], "clicks": [1], "event_timestamp": [{}]},
    {"user_id": [[1]], "clicks": [1], "event_timestamp": ["2024-01-01"]},
    {"user_id": [1], "clicks": [1], "event_timestamp": ["10000-01-01"]},
    {"user_id": [1], "clicks": [1], "event_timestamp": [""]},
]


@pytest.mark.parametrize("frame", FRAMES)
def test_hostile_frames(server: ServerProcess, frame: Any) -> None:
    body = {"feature_view_name": "short", "df": frame}
    message(server.post_json("/write-to-online-store", body))


def test_a_request_in_an_odd_spelling(server: ServerProcess) -> None:
    """Goal: escaped names, white space, fields twice (the last counts), words for true."""
    assert write(server, "short", user_id=[71], clicks=[5]).status == 200
    body = (
        b' {"entities" : {"user_id": [1]}, "ent\\u0069ties":{"user_\\u0069d":[ 71 , "71"]},\n'
        b'"features":["short:clicks"], "feature_service": null, "full_feature_names":"on" } '
    )
    answer = server.request("POST", GET, body, {})
    assert values(answer, "short__clicks") == [5, 5]


def test_definitions_of_others_are_seen_while_reads_go_on(tmp_path: Path) -> None:
    define(tmp_path)
    with ServerProcess(tmp_path) as server, FeatureStore(str(tmp_path)) as store:
        assert write(server, "short", user_id=[1], clicks=[5]).status == 200
        statuses: set[int] = set()
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                statuses.add(get(server, {"user_id": [1]}, "short:clicks").status)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            view = store.get_feature_view("short")
            view.ttl = dt.timedelta(microseconds=1)
            store.apply([view])
            until = time.monotonic() + SEEN_WITHIN_SECONDS
            while True:
                found = columns(get(server, {"user_id": [1]}, "short:clicks"))["clicks"]
                if found["statuses"] == ["OUTSIDE_MAX_AGE"]:
                    break
                assert time.monotonic() < until, found
            store.apply(
                [FeatureView(name="new", entities=[view.entities[0]], schema=[Field("x", Int64)])]
            )
            assert get(server, {"user_id": [1]}, "new:x").status == 200
        finally:
            done.set()
            reader.join()
        assert statuses == {200}
        store.apply([], objects_to_delete=[store.get_feature_view("new")])
        until = time.monotonic() + SEEN_WITHIN_SECONDS
        while get(server, {"user_id": [1]}, "new:x").status != 404:
            assert time.monotonic() < until


def make_loads(folder: Path, rows: str) -> None:
    """A store with the view `loads` over a file of these rows: user_id, event_timestamp, n."""
    (folder / "loads.csv").write_text("user_id,event_timestamp,n\n" + rows)
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    source = FileSource(str(folder / "loads.csv"), timestamp_field="event_timestamp")
    view = FeatureView(name="loads", entities=[user], schema=[Field("n", Int64)], source=source)
    with FeatureStore(str(folder)) as store:
        store.apply([view])


def test_materialize_now_and_in_the_background(tmp_path: Path) -> None:
    rows = "".join(f"{key},2024-01-01T00:00:{key:02},{key}\n" for key in range(60))
    make_loads(tmp_path, rows)
    with ServerProcess(tmp_path) as server:
        body: dict[str, Any] = {
            "start_ts": "2024-01-01T00:00:00",
            "end_ts": "2024-01-01T00:00:30+00:00",
        }
        assert server.post_json("/materialize", body).text == "null"
        assert values(get(server, {"user_id": [5, 55]}, "loads:n"), "n") == [5, None]
        accepted = server.post_json(
            "/materialize-incremental?async=true",
            {"end_ts": "2024-01-02", "feature_views": ["loads"]},
        )
        assert (accepted.status, accepted.text) == (
            202,
            '{"status":"accepted","feature_views":["loads"]}',
        )
        assert "%25" in message(server.post_json("/materialize?async=%", body))
        again = server.post_json("/materialize?async=true", body)
        assert again.status in (202, 409)
        if again.status == 409:
            assert again.json()["feature_views"] == ["loads"]
        assert server.post_json("/materialize?async=true&force=true", body).status == 202
        until = time.monotonic() + 30
        while values(get(server, {"user_id": [55]}, "loads:n"), "n") != [55]:
            assert time.monotonic() < until
        assert "v2" not in message(server.post_json("/materialize", body | {"version": "v2"}))


def test_one_background_load_of_a_view_at_a_time(tmp_path: Path) -> None:
    """Goal: 409 while one runs, unless it is forced; other views are not concerned."""
    count = 200_000
    lines = "".join(f"{key},2024-01-01T00:00:00,{key}\n" for key in range(count))
    (tmp_path / "long.csv").write_text("user_id,event_timestamp,n\n" + lines)
    (tmp_path / "brief.csv").write_text("user_id,event_timestamp,n\n1,2024-01-01,1\n")
    user = Entity(name="user", join_keys=[Field("user_id", Int64)])
    views = [
        FeatureView(
            name=name,
            entities=[user],
            schema=[Field("n", Int64)],
            source=FileSource(str(tmp_path / f"{name}.csv"), timestamp_field="event_timestamp"),
        )
        for name in ("long", "brief")
    ]
    with FeatureStore(str(tmp_path)) as store:
        store.apply(views)
    with ServerProcess(tmp_path) as server:

        def start(view: str, flags: str = "") -> Answer:
            body = {"disable_event_timestamp": True, "feature_views": [view]}
            return server.post_json(f"/materialize?async=true{flags}", body)

        answers = [start("long") for _ in range(2)]
        while answers[-1].status != 409:  # the machine may have been that slow
            assert len(answers) < 100
            answers.append(start("long"))
        assert {each.status for each in answers[:-1]} == {202}
        refused = answers[-1].json()
        assert refused["feature_views"] == ["long"]
        assert "force=true" in refused["error"]
        assert start("brief").status == 202
        forced = start("long", "&force=true")
        assert (forced.status, forced.json()) == (
            202,
            {"status": "accepted", "feature_views": ["long"]},
        )
        until = time.monotonic() + 60
        while values(get(server, {"user_id": [count - 1]}, "long:n"), "n") != [count - 1]:
            assert time.monotonic() < until


def test_a_load_without_event_times(tmp_path: Path) -> None:
    """Goal: `disable_event_timestamp` takes all there is, and asks for no times."""
    make_loads(tmp_path, "1,1999-01-01,1\n1,2001-01-01,2\n2,1980-01-01,3\n")
    with ServerProcess(tmp_path) as server:
        for lacking in ({}, {"start_ts": "2024-01-01"}, {"end_ts": "2024-01-01"}):
            assert "start_ts and end_ts" in message(server.post_json("/materialize", lacking))
        body = {"disable_event_timestamp": True, "feature_views": ["loads"]}
        assert server.post_json("/materialize", body).text == "null"
        assert values(get(server, {"user_id": [1, 2]}, "loads:n"), "n") == [2, 3]


def test_health_without_a_registry(tmp_path: Path) -> None:
    define(tmp_path)
    with ServerProcess(tmp_path) as server:
        assert server.get("/health").status == 200
        registry = tmp_path / ".tidemark" / "registry.db"
        registry.write_bytes(b"no database" * 1000)
        assert server.get("/health").status == 503
        assert server.get("/health/live").status == 200


def test_keys_and_scopes(tmp_path: Path) -> None:
    define(tmp_path)
    reads = create_key(tmp_path, ["read"])["key"]
    with ServerProcess(tmp_path) as server:
        asked = {"entities": {"user_id": [1]}, "features": ["short:clicks"]}
        refused = server.post_json(GET, asked)
        assert refused.status == 401
        assert json.loads(refused.json())["class"] == "FeastPermissionError"
        bearer = f"Bearer {reads}"
        assert server.post_json(GET, asked, Authorization=bearer).status == 200
        body = {"feature_view_name": "short", "df": {}}
        refused = server.post_json("/write-to-online-store", body, Authorization=bearer)
        assert refused.status == 403
        assert json.loads(refused.json())["class"] == "FeastPermissionError"
