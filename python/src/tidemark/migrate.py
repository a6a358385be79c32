"""Takes over the definitions of a Feast registry: `python -m tidemark.migrate REGISTRY.db`.

The registry is read by Feast's own code, in this interpreter's environment or in the one that
`--python` names; nothing that it holds is run or unpickled. What has no counterpart here is left
out, and said.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.entity import Entity
from tidemark.errors import (
    InvalidArgumentError,
    InvalidDataError,
    IoError,
    NotFoundError,
    TidemarkError,
    UnsupportedError,
)
from tidemark.feature_service import FeatureService
from tidemark.feature_view import FeatureView, FeatureViewProjection
from tidemark.field import Field
from tidemark.on_demand_feature_view import OnDemandFeatureView, without_decorators
from tidemark.repository import definitions_document
from tidemark.source import BatchSource, FileSource, PushSource
from tidemark.types import Array, DataType, Json, Map, String, Struct, as_data_type
from tidemark.value_type import ValueType

_READER = Path(__file__).with_name("_feast_registry.py")
_NO_ENTITY = "__dummy"  # what Feast puts where a view has no entities
_STRUCT_SCHEMA = "feast:struct_schema"
_SAID_MAX = 2000
_LEFT_OUT_SECTIONS = {
    "streamFeatureViews": "stream feature view",
    "savedDatasets": "saved dataset",
    "validationReferences": "validation reference",
    "permissions": "permission",
}

Message = Mapping[str, Any]


@dataclass(frozen=True)
class Migration:
    """A registry's definitions of one project, for `FeatureStore.apply`, and what was left out.

    `document` is the JSON form of definitions.
    """

    project: str
    definitions: tuple[Entity | FeatureView | OnDemandFeatureView | FeatureService, ...]
    left_out: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        return {"project": self.project} | definitions_document(self.definitions)


def read_registry(
    path: str | os.PathLike[str], *, project: str = "", python: str | os.PathLike[str] = ""
) -> Migration:
    """The definitions in the file of a Feast registry, such as `data/registry.db`.

    `python` is the interpreter of the environment that Feast is in; this one's by default.
    `project` is needed if the registry has several. Feast 0.67 was tried.
    """
    target = os.path.abspath(os.fspath(path))
    if not os.path.isfile(target):
        raise NotFoundError("there is no such file; a registry in a database is not read", target)
    # As text: beside the file lie modules that must not become that interpreter's own (types.py).
    command = [os.fspath(python) or sys.executable, "-c", _READER.read_text(), target]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise IoError(f"{command[0]} cannot be run: {error}") from None
    if done.returncode != 0:
        raise UnsupportedError(
            f"{command[0]} could not read the registry with Feast; name the interpreter of an "
            f"environment with Feast (python=, --python). It said:\n{done.stderr[-_SAID_MAX:]}",
            target,
        )
    try:
        registry = json.loads(done.stdout)
    except ValueError:
        raise InvalidDataError("what Feast printed of the registry is not JSON", target) from None
    return _migration(registry, project, target)


def _migration(registry: Message, project: str, where: str) -> Migration:
    sections = (
        *("entities", "featureViews", "labelViews", "onDemandFeatureViews", "featureServices"),
        "projects",
    )
    projects = {
        each["spec"]["project" if section != "projects" else "name"]
        for section in sections
        for each in registry.get(section, ())
    }
    if not projects:
        raise NotFoundError("the registry has no definitions", where)
    if project not in projects and (project or len(projects) > 1):
        raise InvalidArgumentError(
            f"the registry has the projects {', '.join(sorted(projects))}: name one of them", where
        )
    project = project or projects.pop()

    def specs(section: str) -> list[Message]:
        found = [each["spec"] for each in registry.get(section, ())]
        return [each for each in found if each.get("project", project) == project]

    left_out = [
        f"{called} {spec['name']}: has no counterpart here"
        for section, called in _LEFT_OUT_SECTIONS.items()
        for spec in specs(section)
    ]
    entities = {spec["name"]: spec for spec in specs("entities") if spec["name"] != _NO_ENTITY}
    key_types: dict[str, DataType] = {}
    views: dict[str, FeatureView | OnDemandFeatureView] = {}
    for called, spec in [
        *(("feature view", each) for each in specs("featureViews")),
        *(("label view", each) for each in specs("labelViews")),
    ]:
        try:
            views[spec["name"]] = _view(spec)
            for each in spec.get("entityColumns", ()):  # label views, the last, may say text of all
                key_types.setdefault(each["name"], _type(each))
        except TidemarkError as error:
            left_out.append(f"{called} {spec['name']}: {error.message}")
    for spec in specs("onDemandFeatureViews"):
        try:
            views[spec["name"]] = _on_demand_view(spec, views)
        except TidemarkError as error:
            left_out.append(f"on-demand feature view {spec['name']}: {error.message}")
    services = []
    for spec in specs("featureServices"):
        missing = [each for each in _views_of(spec) if each not in views]
        if missing:
            left_out.append(f"feature service {spec['name']}: needs {', '.join(missing)}")
        else:
            services.append(_service(spec, views))
    made = [_entity(spec, key_types) for spec in entities.values()]
    return Migration(project, (*made, *views.values(), *services), tuple(left_out))


def _metadata(spec: Message) -> dict[str, Any]:
    return {
        "description": spec.get("description", ""),
        "tags": spec.get("tags"),
        "owner": spec.get("owner", ""),
    }


def _entity(spec: Message, key_types: Mapping[str, DataType]) -> Entity:
    key = spec.get("joinKey") or spec["name"]
    keys: list[Any] = [Field(key, key_types[key])] if key in key_types else [key]
    return Entity(name=spec["name"], join_keys=keys, **_metadata(spec))


def _view(spec: Message) -> FeatureView:
    if spec.get("sourceViews") or spec.get("featureTransformation"):
        raise UnsupportedError("views made of views, and transformations, have no counterpart here")
    version = spec.get("version", "latest")
    stated = spec.get("batchSource")
    batch = None if stated is None else _batch_source(stated)
    stream = spec.get("streamSource") or (spec.get("source") if batch is None else None)
    source: BatchSource | PushSource | None = batch
    if stream is not None:
        source = _push_source(stream, batch)
    return FeatureView(
        name=spec["name"],
        entities=[each for each in spec.get("entities", ()) if each != _NO_ENTITY],
        schema=[
            Field(
                each["name"],
                _type(each),
                description=each.get("description", ""),
                tags={k: v for k, v in each.get("tags", {}).items() if k != _STRUCT_SCHEMA},
            )
            for each in spec.get("features", ())
        ],
        source=source,
        ttl=spec.get("ttl", "0s").removesuffix("s"),
        online=spec.get("online", False),
        version=version or "latest",
        **_metadata(spec),
    )


def _on_demand_view(
    spec: Message, views: Mapping[str, FeatureView | OnDemandFeatureView]
) -> OnDemandFeatureView:
    """Its function is the text that Feast kept beside the pickled one: checked, and not run."""
    function = spec.get("featureTransformation", {}).get("userDefinedFunction", {})
    function = function or spec.get("userDefinedFunction", {})
    mode = function.get("mode") or spec.get("mode", "pandas")
    if mode not in ("pandas", "python") or not function.get("bodyText"):
        raise UnsupportedError(
            f"mode {mode!r}, or a function without its text, has no counterpart here"
        )
    sources: list[dict[str, Any]] = []
    for source in spec.get("sources", {}).values():
        if "requestDataSource" in source:
            request = source["requestDataSource"]
            fields = request.get("requestDataOptions", {}).get("schema", ())
            sources.append(
                {"request": request["name"], "fields": [_field(each) for each in fields]}
            )
            continue
        projection = source.get("featureViewProjection") or {
            "featureViewName": source["featureView"]["spec"]["name"]
        }
        name = projection["featureViewName"]
        if name not in views:
            raise UnsupportedError(f"needs {name}")
        features = [each["name"] for each in projection.get("featureColumns", ())]
        if features == [each.name for each in views[name].schema]:
            features = []  # the whole view, which a registry spells out
        sources.append({"view": name, "features": features})
    return OnDemandFeatureView.from_dict(
        {
            "name": spec["name"],
            "mode": mode,
            "sources": sources,
            "fields": [_field(each) for each in spec.get("features", ())],
            "function": function["name"],
            "source_code": without_decorators(function["bodyText"], "the registry"),
            "singleton": spec.get("singleton", False),
            **_metadata(spec),
        }
    )


def _field(spec: Message) -> dict[str, Any]:
    return Field(spec["name"], _type(spec), description=spec.get("description", "")).to_dict()


def _batch_source(spec: Message) -> BatchSource:
    if spec.get("type") != "BATCH_FILE":
        raise UnsupportedError(
            f"its batch source {spec.get('name', '')!r} is of type {spec.get('type')}: declare it "
            "again, with the connection that the registry does not hold (docs/warehouses.md)"
        )
    options = spec.get("fileOptions", {})
    if options.get("s3EndpointOverride") or "://" in options.get("uri", "").removeprefix("file://"):
        raise UnsupportedError(f"its file is not on this machine: {options.get('uri')}")
    if any(name != "parquetFormat" for name in options.get("fileFormat", {})):
        raise UnsupportedError(f"its file's format is {', '.join(options['fileFormat'])}")
    return FileSource(
        options["uri"].removeprefix("file://"),
        name=spec.get("name", ""),
        timestamp_field=spec.get("timestampField", ""),
        created_timestamp_column=spec.get("createdTimestampColumn", ""),
        field_mapping=spec.get("fieldMapping"),
        **_metadata(spec),
    )


def _push_source(spec: Message, batch: BatchSource | None) -> PushSource:
    if spec.get("type") != "PUSH_SOURCE":
        raise UnsupportedError(
            f"its stream source {spec.get('name', '')!r} is of type {spec.get('type')}: declare it "
            "again (KafkaSource, KinesisSource), with the format of its messages"
        )
    if batch is None and spec.get("batchSource"):
        batch = _batch_source(spec["batchSource"])
    return PushSource(spec["name"], batch, **_metadata(spec))


def _views_of(spec: Message) -> list[str]:
    return [each["featureViewName"] for each in spec.get("features", ())]


def _service(
    spec: Message, views: Mapping[str, FeatureView | OnDemandFeatureView]
) -> FeatureService:
    features = []
    for each in spec.get("features", ()):
        name = each["featureViewName"]
        asked = tuple(column["name"] for column in each.get("featureColumns", ()))
        if asked == tuple(feature.name for feature in views[name].schema):
            asked = ()  # the whole view, which a registry spells out
        alias, renamed = each.get("featureViewNameAlias", ""), each.get("joinKeyMap", {})
        features.append(FeatureViewProjection(name, alias, asked, renamed))
    return FeatureService(name=spec["name"], features=features, **_metadata(spec))


def _type(field: Message) -> DataType:
    """The type of a field in a registry: a ValueType's name, the members of a struct in a tag."""
    name = field.get("valueType", "INVALID")
    if name == "MAP":
        return Map(String, String)
    if name == "MAP_LIST":
        return Array(Map(String, String))
    if name == "JSON":
        return Json
    if name in ("STRUCT", "STRUCT_LIST"):
        members = json.loads(field.get("tags", {}).get(_STRUCT_SCHEMA, "{}"))
        made = Struct({member: _type({"valueType": value}) for member, value in members.items()})
        return made if name == "STRUCT" else Array(made)
    if name not in ValueType.__members__:
        raise UnsupportedError(f"feature {field.get('name', '')!r} is of type {name}")
    return as_data_type(ValueType[name])


def main(arguments: Sequence[str]) -> int:
    """Prints the definitions as JSON, which `tidemark apply` reads; what was left out to stderr."""
    parser = argparse.ArgumentParser(prog="python -m tidemark.migrate", description=__doc__)
    parser.add_argument("registry", help="the file of the registry, such as data/registry.db")
    parser.add_argument("--project", default="", help="which, if the registry has several")
    parser.add_argument("--python", default="", help="the interpreter that has Feast")
    stated = parser.parse_args(arguments)
    try:
        made = read_registry(stated.registry, project=stated.project, python=stated.python)
    except TidemarkError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3 if isinstance(error, NotFoundError) else 2
    for text in made.left_out:
        print(f"left out: {text}", file=sys.stderr)
    print(json.dumps(made.document, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
