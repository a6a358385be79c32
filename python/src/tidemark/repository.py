"""Definitions as one document, and definitions read from files.

Python files are run, and what they define at module level is collected; YAML and JSON files are
read as they are. `python -m tidemark.repository PATH...` prints the document of the given files,
which is how the command line program reads Python files.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from tidemark.definition import Definition
from tidemark.entity import Entity
from tidemark.errors import InvalidArgumentError, NotFoundError, TidemarkError, TypeMismatchError
from tidemark.feature_service import FeatureService
from tidemark.feature_view import FeatureView
from tidemark.on_demand_feature_view import OnDemandFeatureView, RequestSource
from tidemark.project import Project
from tidemark.source import BatchSource
from tidemark.stream_source import StreamSource

Document = dict[str, Any]
_SECTIONS = ("entities", "feature_views", "on_demand_feature_views", "feature_services")
_ENDINGS = (".py", ".yaml", ".yml", ".json")
_SETTINGS = ("tidemark.yaml", "feature_store.yaml")
_SOURCES = BatchSource | StreamSource | RequestSource

T = TypeVar("T", bound=Definition)


def definitions_document(
    objects: Iterable[Any], known_join_keys: Callable[[str], Sequence[str]] = lambda name: ()
) -> Document:
    """The JSON document of `objects`: entities, feature views and feature services.

    Entities that a view holds as objects come along. A schema field that is a join key becomes the
    key's type. `known_join_keys` gives the join keys of an entity that is not among the objects.
    """
    entities: list[Entity] = []
    views: list[FeatureView] = []
    on_demand: list[OnDemandFeatureView] = []
    services: list[FeatureService] = []
    projects: set[str] = set()
    for item in objects:
        if isinstance(item, Entity):
            entities.append(item)
        elif isinstance(item, FeatureView):
            views.append(item)
        elif isinstance(item, OnDemandFeatureView):
            on_demand.append(item)
        elif isinstance(item, FeatureService):
            services.append(item)
        elif isinstance(item, Project):
            projects.add(item.name)
        elif not isinstance(item, _SOURCES):  # a source goes with the views that use it
            raise InvalidArgumentError(
                f"{item!r} is not a definition: give entities, feature views or feature services"
            )
    named = {entity.name for entity in entities}
    held = [entity for view in views for entity in view.entity_objects]
    entities += [entity for entity in held if entity.name not in named]
    entity_dicts = _distinct(entities)
    view_dicts = [
        _view_dict(view, fields, entity_dicts, known_join_keys)
        for view, fields in _with_schema(views)
    ]
    document = {
        "entities": entity_dicts,
        "feature_views": _distinct_dicts(view_dicts),
        "on_demand_feature_views": _distinct(on_demand),
        "feature_services": _distinct(services),
    }
    return merge([{"project": name} for name in sorted(projects)] + [document])


def _distinct(definitions: Sequence[T]) -> list[dict[str, Any]]:
    return _distinct_dicts([definition.to_dict() for definition in definitions])


def _distinct_dicts(dicts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One of those that are equal; two of one name that differ stay, for the engine to refuse."""
    made: list[dict[str, Any]] = []
    for each in dicts:
        if each not in made:
            made.append(each)
    return made


def _with_schema(views: Sequence[FeatureView]) -> Iterator[tuple[FeatureView, dict[str, str]]]:
    for view in views:
        yield view, {field.name: str(field.dtype) for field in view.schema}


def _view_dict(
    view: FeatureView,
    schema: Mapping[str, str],
    entities: Sequence[dict[str, Any]],
    known_join_keys: Callable[[str], Sequence[str]],
) -> dict[str, Any]:
    """The view without the join keys in its schema, whose types go to the entities."""
    made = view.to_dict()
    if not schema:
        return made
    join_keys: set[str] = set()
    for name in view.entities:
        stated = [entity for entity in entities if entity["name"] == name]
        if not stated:
            join_keys.update(known_join_keys(name))
        for entity in stated:
            for key in entity["join_keys"]:
                join_keys.add(key["name"])
                _state_type(key, schema.get(key["name"]), entity["name"], view.name)
    made["fields"] = [each for each in made.get("fields", []) if each["name"] not in join_keys]
    if not made["fields"]:
        del made["fields"]
    return made


def _state_type(key: dict[str, str], dtype: str | None, entity: str, view: str) -> None:
    if dtype is None or key.get("type") == dtype:
        return
    if "type" in key:
        raise TypeMismatchError(
            f"join key {key['name']!r} is {dtype} in the view's schema, but {key['type']} in "
            f"entity {entity}: state one type",
            f"feature view {view}",
        )
    key["type"] = dtype


def read_definitions(paths: Sequence[str | os.PathLike[str]]) -> Document:
    """The document of the given files, and of the *.py, *.yaml and *.json files in folders."""
    files = [file for path in paths for file in definition_files(Path(path))]
    if not files:
        raise NotFoundError(
            "no definitions: there is no *.py, *.yaml or *.json file in "
            + ", ".join(os.fspath(path) for path in paths)
        )
    objects: list[Definition | Project] = []
    documents: list[Document] = []
    for file in files:
        if file.suffix == ".py":
            objects += _run(file)
        else:
            documents.append(_read_text(file))
    return merge([definitions_document(objects), *documents])


def definition_files(path: Path) -> list[Path]:
    """`path` itself, or the definition files directly in it, by name."""
    if path.is_dir():
        return sorted(
            each
            for each in path.iterdir()
            if each.suffix in _ENDINGS and each.name not in _SETTINGS and each.is_file()
        )
    if not path.is_file():
        raise NotFoundError("there is no such file or folder", str(path))
    if path.suffix not in _ENDINGS:
        raise InvalidArgumentError("definitions are in .py, .yaml or .json files", str(path))
    return [path]


def merge(documents: Sequence[Document]) -> Document:
    """One document of several; equal definitions count once, projects must agree."""
    projects = sorted({made["project"] for made in documents if made.get("project")})
    if len(projects) > 1:
        raise InvalidArgumentError(f"definitions name several projects: {', '.join(projects)}")
    merged: Document = {"project": projects[0]} if projects else {}
    for section in _SECTIONS:
        merged[section] = _distinct_dicts(
            [each for made in documents for each in made.get(section, [])]
        )
    return merged


def _read_text(file: Path) -> Document:
    from tidemark import _native

    try:
        text = file.read_text(encoding="utf-8")
        made: Document = json.loads(_native.normalize_definitions(text))
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(f"the file is not UTF-8 text: {error}", str(file)) from None
    except TidemarkError as error:
        raise type(error)(error.message, f"{file}: {error.context}".rstrip(": ")) from None
    return made


def _run(file: Path) -> list[Definition | Project]:
    """The definitions at module level of a Python file, in their order."""
    module = _load(file.resolve())
    found: list[Definition | Project] = []
    for value in vars(module).values():
        if isinstance(value, Definition | Project) and not any(value is each for each in found):
            found.append(value)
    return found


def _load(file: Path) -> ModuleType:
    """Runs a file as the module of its name, so that files of one folder can import each other."""
    loaded = sys.modules.get(file.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(file):
        return loaded
    # A name that another module has (types.py, for example) is left to that module.
    name = file.stem if loaded is None else f"_tidemark_definitions_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    # Only while it runs: a json.py of that folder must not become everybody's json.
    folder = str(file.parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    finally:
        sys.path.remove(folder)
    return module


def main(arguments: Sequence[str]) -> int:
    """Prints the document of the given files; on an error, the place in the user's file."""
    if not arguments:
        print("usage: python -m tidemark.repository PATH...", file=sys.stderr)
        return 2
    # What a definitions file prints belongs to a person, not into the document.
    document_out, sys.stdout = sys.stdout, sys.stderr
    try:
        document = read_definitions(arguments)
    except TidemarkError as error:
        print(f"{_user_place(error)}{error}", file=sys.stderr)
        return 3 if isinstance(error, NotFoundError) else 2
    except Exception as error:  # whatever a user's file may raise
        traceback.print_exception(error.with_traceback(_user_frames(error)))
        return 2
    finally:
        sys.stdout = document_out
    print(json.dumps(document, ensure_ascii=False))
    return 0


def _user_frames(error: BaseException) -> Any:
    """The traceback from the first frame outside of this file and Python's import machinery."""
    trace = error.__traceback__
    while trace is not None and (
        trace.tb_frame.f_code.co_filename == __file__
        or trace.tb_frame.f_code.co_filename.startswith("<frozen")
    ):
        trace = trace.tb_next
    return trace


def _user_place(error: BaseException) -> str:
    """`file, line 3: ` where a definitions file raised the error, or nothing."""
    own = os.path.dirname(__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith((own, "<"))
    ]
    return f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
