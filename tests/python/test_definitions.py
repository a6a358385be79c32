"""Definitions become the JSON that the engine reads, come back equal, and are checked early."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pandas as pd
import pytest

from tidemark import CsvFormat, Entity, FeatureService, FeatureView, Field, FileSource, ValueType
from tidemark.errors import InvalidArgumentError, NotFoundError, TypeMismatchError
from tidemark.repository import definitions_document, main, merge, read_definitions
from tidemark.times import duration_text, parse_duration, time_us
from tidemark.types import Array, Float64, Int32, Int64, String


def weather() -> FeatureView:
    return FeatureView(
        name="weather",
        entities=[Entity(name="airport", join_keys=["code"])],
        ttl=dt.timedelta(days=1, hours=12),
        schema=[
            Field("code", String),
            Field("temp", Float64, description="Celsius", tags={"unit": "C"}),
            Field("gusts", Array(Float64), renamed_from="wind"),
        ],
        source=FileSource(
            path="data/*.csv",
            name="hourly",
            timestamp_field="hour",
            created_timestamp_column="seen",
            field_mapping={"TEMP": "temp"},
            file_format=CsvFormat(),
        ),
        online=False,
        tags={"team": "sky"},
        owner="sky@example.com",
        description="Hourly weather",
    )


def test_view_as_json() -> None:
    assert weather().to_dict() == {
        "name": "weather",
        "entities": ["airport"],
        "ttl": "1d12h",
        "online": False,
        "fields": [
            {
                "name": "temp",
                "type": "float64",
                "description": "Celsius",
                "tags": {"unit": "C"},
            },
            {"name": "gusts", "type": "list<float64>", "renamed_from": "wind"},
        ],
        "source": {
            "type": "file",
            "path": "data/*.csv",
            "name": "hourly",
            "format": "csv",
            "timestamp_field": "hour",
            "created_timestamp_column": "seen",
            "field_mapping": {"TEMP": "temp"},
        },
        "description": "Hourly weather",
        "owner": "sky@example.com",
        "tags": {"team": "sky"},
    }


def test_definitions_come_back_equal() -> None:
    entity = Entity(
        name="pair", join_keys={"a": Int64, "b": String}, tags={"x": "y"}, renamed_from="old"
    )
    assert Entity.from_dict(entity.to_dict()) == entity
    view = weather()
    again = FeatureView.from_dict(view.to_dict())
    assert again.to_dict() == view.to_dict()
    service = FeatureService(
        name="model",
        features=[
            "weather:temp",
            view[["temp"]].with_name("origin").with_join_key_map({"code": "origin_code"}),
        ],
        owner="me",
    )
    assert FeatureService.from_dict(service.to_dict()) == service


def test_entity_forms() -> None:
    assert Entity(name="driver").to_dict()["join_keys"] == [{"name": "driver"}]
    single = Entity(name="driver", join_keys=["id"], value_type=ValueType.INT32)
    assert single.to_dict()["join_keys"] == [{"name": "id", "type": "int32"}]
    assert single.join_key == "id"
    mixed = Entity(name="pair", join_keys=["a", Field("b", Int64)])
    assert mixed.to_dict()["join_keys"] == [{"name": "a"}, {"name": "b", "type": "int64"}]
    with pytest.raises(InvalidArgumentError, match="several join keys: a, b"):
        _ = mixed.join_key


@pytest.mark.parametrize(
    "arguments",
    [
        {"join_keys": "id"},
        {"join_keys": ["a", "a"]},
        {"join_keys": ["a", "b"], "value_type": ValueType.INT64},
    ],
)
def test_bad_entities(arguments: dict[str, object]) -> None:
    with pytest.raises(InvalidArgumentError, match="entity e"):
        Entity(name="e", **arguments)  # type: ignore[arg-type]


def test_projections_leave_the_definition_alone() -> None:
    view = weather()
    renamed = view.with_name("origin").with_join_key_map({"code": "from"})[["temp"]]
    assert renamed.projection.to_dict() == {
        "view": "weather",
        "features": ["temp"],
        "join_key_map": {"code": "from"},
        "alias": "origin",
    }
    assert view.projection.to_dict() == {"view": "weather"}
    assert renamed.to_dict() == view.to_dict()
    with pytest.raises(NotFoundError, match="'tmp'"):
        view[["tmp"]]
    with pytest.raises(InvalidArgumentError, match="by a list"):
        view["temp"]


def test_join_keys_in_a_schema_type_the_entity() -> None:
    document = definitions_document([weather()])
    assert document["entities"] == [
        {"name": "airport", "join_keys": [{"name": "code", "type": "string"}]}
    ]
    assert [field["name"] for field in document["feature_views"][0]["fields"]] == ["temp", "gusts"]


def test_join_keys_of_registered_entities_are_no_features() -> None:
    view = FeatureView(
        name="v", entities=["airport"], schema=[Field("code", String), Field("temp", Float64)]
    )
    document = definitions_document([view], lambda name: ["code"] if name == "airport" else [])
    assert [field["name"] for field in document["feature_views"][0]["fields"]] == ["temp"]


def test_two_types_of_one_join_key() -> None:
    entity = Entity(name="driver", join_keys={"id": Int64})
    view = FeatureView(name="v", entities=[entity], schema=[Field("id", Int32)])
    with pytest.raises(TypeMismatchError, match=r"feature view v.*'id' is int32.*int64"):
        definitions_document([view])


def test_equal_definitions_count_once() -> None:
    view = weather()
    document = definitions_document([view, view.with_name("again"), view.entity_objects[0]])
    assert len(document["feature_views"]) == 1
    assert len(document["entities"]) == 1
    with pytest.raises(InvalidArgumentError, match="not a definition"):
        definitions_document(["weather"])


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (dt.timedelta(), "0s"),
        (dt.timedelta(days=9), "9d"),
        (dt.timedelta(hours=36), "1d12h"),
        (dt.timedelta(minutes=1, milliseconds=2, microseconds=3), "1m2ms3us"),
    ],
)
def test_durations(duration: dt.timedelta, text: str) -> None:
    assert duration_text(duration) == text
    assert parse_duration(text) == duration


@pytest.mark.parametrize("text", ["", "1", "0.5", "1w", "90s"])
def test_other_durations(text: str) -> None:
    if text:
        assert parse_duration(text) > dt.timedelta(0)
    else:
        with pytest.raises(InvalidArgumentError, match="cannot be read"):
            parse_duration(text)


@pytest.mark.parametrize("ttl", ["-1s", "1 day", "soon", dt.timedelta(seconds=-1), -5])
def test_bad_ttl(ttl: object) -> None:
    with pytest.raises(InvalidArgumentError):
        FeatureView(name="v", ttl=ttl)  # type: ignore[arg-type]


def test_points_in_time() -> None:
    second = dt.datetime(1970, 1, 1, 0, 0, 1)
    assert time_us(second) == 1_000_000
    east = dt.timezone(dt.timedelta(hours=2))
    assert time_us(dt.datetime(1970, 1, 1, 2, 0, 0, 1, tzinfo=east)) == 1
    assert time_us(dt.date(1970, 1, 2)) == 86_400_000_000
    assert time_us(pd.Timestamp(1_999, unit="ns")) == 1
    assert time_us(pd.Timestamp("1970-01-01T02:00:00+02:00")) == 0
    assert time_us(dt.datetime(1, 1, 1)) == -62_135_596_800_000_000
    with pytest.raises(InvalidArgumentError):
        time_us(5)  # type: ignore[arg-type]


def test_file_source_names_both_timestamp_fields() -> None:
    assert FileSource("x.csv", event_timestamp_column="t").timestamp_field == "t"
    with pytest.raises(InvalidArgumentError, match=r"x\.csv.*'a'.*'b'"):
        FileSource("x.csv", timestamp_field="a", event_timestamp_column="b")
    with pytest.raises(InvalidArgumentError, match="'orc'"):
        FileSource("x.orc", file_format="orc")


ENTITIES_PY = """
from tidemark import Entity
from tidemark.types import Int64
driver = Entity(name="driver", join_keys={"driver_id": Int64})
print("a definitions file may print")
"""
VIEWS_PY = """
from entities_here import driver
from tidemark import FeatureView, FileSource
stats = FeatureView(name="stats", entities=[driver], source=FileSource("stats.parquet"))
alias = stats.with_name("other")
"""


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    return folder


def test_python_files_of_a_folder_import_each_other(tmp_path: Path) -> None:
    write(tmp_path, entities_here=ENTITIES_PY, views_here=VIEWS_PY)
    document = read_definitions([tmp_path])
    assert [each["name"] for each in document["entities"]] == ["driver"]
    assert [each["name"] for each in document["feature_views"]] == ["stats"]


def test_a_file_named_as_a_module_is_no_trouble(tmp_path: Path) -> None:
    write(tmp_path, json=ENTITIES_PY)
    assert read_definitions([tmp_path])["entities"][0]["name"] == "driver"
    assert json.loads("{}") == {}


def test_main_prints_the_document_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, printing=ENTITIES_PY)
    assert main([str(tmp_path)]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["entities"][0]["name"] == "driver"
    assert "may print" in shown.err


@pytest.mark.parametrize(
    ("text", "message", "code"),
    [
        ("x = 1\ny = x / 0\n", 'broken.py", line 2', 2),
        ("def f(:\n", "SyntaxError", 2),
        ("from tidemark import Entity\n\nEntity(name='e', join_keys='k')\n", "line 3: entity e", 2),
    ],
)
def test_main_says_where_a_file_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str, code: int
) -> None:
    write(tmp_path, broken=text)
    assert main([str(tmp_path / "broken.py")]) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert "repository.py" not in shown.err
    assert shown.out == ""


def test_missing_definitions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(NotFoundError, match="no definitions"):
        read_definitions([tmp_path])
    with pytest.raises(NotFoundError, match="no such file"):
        read_definitions([tmp_path / "none.py"])
    (tmp_path / "data.csv").write_text("a\n")
    with pytest.raises(InvalidArgumentError, match=r"data\.csv"):
        read_definitions([tmp_path / "data.csv"])
    assert main([str(tmp_path / "none.py")]) == 3
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_merging_documents() -> None:
    one = {"project": "p", "entities": [{"name": "a"}]}
    two = {"entities": [{"name": "a"}, {"name": "b"}], "feature_views": [{"name": "v"}]}
    assert merge([one, two]) == {
        "project": "p",
        "entities": [{"name": "a"}, {"name": "b"}],
        "feature_views": [{"name": "v"}],
        "on_demand_feature_views": [],
        "feature_services": [],
    }
    with pytest.raises(InvalidArgumentError, match="several projects: p, q"):
        merge([one, {"project": "q"}])


def test_printing_shows_the_definition() -> None:
    assert json.loads(str(weather())) == weather().to_dict()
