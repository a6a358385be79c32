"""On-demand feature views: features that are computed when they are asked for.

ride = RequestSource(name="ride", schema=[Field("km", Float64)])

fares = OnDemandFeatureView(
name="fares",
sources=[driver_stats, ride],
schema=[Field("price", Float64)],
mode="sql",
expressions={"price": "km * rate"},
)

@on_demand_feature_view(sources=[driver_stats, ride], schema=[Field("price", Float64)])
def fares(inputs: pd.DataFrame) -> pd.DataFrame:
return pd.DataFrame({"price": inputs["km"] * inputs["rate"]})
"""

from __future__ import annotations

import builtins
import copy
import dis
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import CodeType
from typing import Any, TypeVar

from tidemark.definition import Definition
from tidemark.errors import InvalidArgumentError, NotFoundError
from tidemark.feature_view import FeatureView, FeatureViewProjection
from tidemark.field import Field

MODES = ("sql", "pandas", "python")
# What a function may name without importing it.
GIVEN_NAMES = {"pd": "pandas", "np": "numpy"}

Function = Callable[..., Any]
F = TypeVar("F", bound=Function)


@dataclass(init=False)
class RequestSource:
    """Values that come with a request: columns of the entity rows, with their types."""

    name: str
    schema: list[Field]
    description: str
    tags: dict[str, str]
    owner: str

    def __init__(
        self,
        *,
        name: str,
        schema: Sequence[Field],
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        if not schema:
            raise InvalidArgumentError(f"request source {name}: the schema has no field")
        self.name = name
        self.schema = list(schema)
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner

    def to_dict(self) -> dict[str, Any]:
        made: dict[str, Any] = {
            "request": self.name,
            "fields": [each.to_dict() for each in self.schema],
            "description": self.description,
            "owner": self.owner,
            "tags": self.tags,
        }
        return {name: value for name, value in made.items() if value}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> RequestSource:
        fields = made["fields"]
        if isinstance(fields, Mapping):
            fields = [{"name": name, "type": dtype} for name, dtype in fields.items()]
        return cls(
            name=made["request"],
            schema=[Field.from_dict(each) for each in fields],
            description=made.get("description", ""),
            tags=made.get("tags"),
            owner=made.get("owner", ""),
        )


@dataclass(init=False)
class OnDemandFeatureView(Definition):
    """Features computed from those of other views and from request data.

    `sources` are feature views (narrowed by `view[["a"]]`, if not all features are needed; named by
    `with_name` and looked up by other columns with `with_join_key_map`), other on-demand views,
    their names, and request sources. With `mode="sql"` `expressions` has one SQL
    expression for each field of the schema; they are evaluated by the engine, the same for training
    sets and lookups. With `mode="pandas"` `udf` takes a frame of the inputs and returns one of the
    fields; with `mode="python"` it takes and returns dicts of lists, or with `singleton` dicts of
    one row's values. A function is kept as its source text: it imports what it needs inside
    itself (`pd` and `np` are there). This SDK runs it, and servers that have Python workers.
    """

    name: str
    sources: list[FeatureViewProjection]
    requests: list[RequestSource]
    schema: list[Field]
    mode: str
    expressions: dict[str, str]
    function_name: str
    source_code: str
    singleton: bool
    description: str
    tags: dict[str, str]
    owner: str
    renamed_from: str | None
    source_objects: list[Any] = field(repr=False, compare=False)
    projection: FeatureViewProjection = field(repr=False, compare=False)

    def __init__(
        self,
        *,
        name: str,
        sources: Sequence[Any],
        schema: Sequence[Field],
        mode: str = "sql",
        expressions: Mapping[str, str] | None = None,
        udf: Function | None = None,
        source_code: str = "",
        function_name: str = "",
        singleton: bool = False,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
        renamed_from: str | None = None,
    ) -> None:
        place = f"on-demand feature view {name}"
        if mode not in MODES:
            raise InvalidArgumentError(f"mode is {' or '.join(MODES)}, not {mode!r}", place)
        self.name = name
        self.mode = mode
        self.schema = list(schema)
        self.sources, self.requests = _sources(sources, place)
        self.source_objects = [
            each for each in sources if isinstance(each, FeatureView | OnDemandFeatureView)
        ]
        self.expressions = dict(expressions or {})
        self._check_expressions(place)
        if udf is not None:
            source_code, function_name = function_text(udf, place), udf.__name__
        self.source_code = source_code
        self.function_name = function_name
        if mode != "sql" and not source_code:
            raise InvalidArgumentError(f"mode {mode!r} needs a function: udf=", place)
        self.singleton = singleton
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner
        self.renamed_from = renamed_from
        self.projection = FeatureViewProjection(name)

    def _check_expressions(self, place: str) -> None:
        names = [each.name for each in self.schema]
        if self.mode != "sql":
            if self.expressions:
                raise InvalidArgumentError("expressions are for mode 'sql'", place)
            return
        for name in names:
            if name not in self.expressions:
                raise InvalidArgumentError(f"field {name} has no expression", place)
        for name in self.expressions:
            if name not in names:
                raise InvalidArgumentError(
                    f"the expression of {name} is of no field of the schema", place
                )

    @property
    def features(self) -> list[Field]:
        return self.schema

    def with_name(self, name: str) -> OnDemandFeatureView:
        return self._with(replace(self.projection, name_alias=name))

    def __getitem__(self, features: Sequence[str]) -> OnDemandFeatureView:
        place = f"on-demand feature view {self.name}"
        if isinstance(features, str) or not features:
            raise InvalidArgumentError('features are asked for by a list, as in view[["a"]]', place)
        known = [each.name for each in self.schema]
        for feature in features:
            if feature not in known:
                raise NotFoundError(
                    f"there is no feature {feature!r}; there are: {', '.join(known)}", place
                )
        return self._with(replace(self.projection, features=tuple(features)))

    def _with(self, projection: FeatureViewProjection) -> OnDemandFeatureView:
        made = copy.copy(self)
        made.projection = projection
        return made

    def to_dict(self) -> dict[str, Any]:
        fields = [each.to_dict() for each in self.schema]
        for each in fields:
            if each["name"] in self.expressions:
                each["expression"] = self.expressions[each["name"]]
        made: dict[str, Any] = {
            "name": self.name,
            "mode": self.mode,
            "sources": [each.to_dict() for each in self.sources]
            + [each.to_dict() for each in self.requests],
            "fields": fields,
        }
        if self.source_code:
            made |= {"function": self.function_name, "source_code": self.source_code}
        if self.singleton:
            made["singleton"] = True
        return made | self._metadata()

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> OnDemandFeatureView:
        sources: list[Any] = [_source_from_dict(each) for each in made.get("sources", [])]
        return cls(
            name=made["name"],
            sources=sources,
            schema=[Field.from_dict(each) for each in made["fields"]],
            mode=made.get("mode", "sql"),
            expressions={
                each["name"]: each["expression"] for each in made["fields"] if "expression" in each
            },
            source_code=made.get("source_code", ""),
            function_name=made.get("function", ""),
            singleton=made.get("singleton", False),
            description=made.get("description", ""),
            tags=made.get("tags"),
            owner=made.get("owner", ""),
            renamed_from=made.get("renamed_from"),
        )


def on_demand_feature_view(
    *,
    sources: Sequence[Any],
    schema: Sequence[Field],
    mode: str = "pandas",
    name: str | None = None,
    singleton: bool = False,
    description: str = "",
    tags: Mapping[str, str] | None = None,
    owner: str = "",
) -> Callable[[Function], OnDemandFeatureView]:
    """Makes an on-demand feature view of a function, with the function's name.

    With `mode="sql"` the function takes nothing and returns a dict: an expression for each field.
    """

    def make(function: Function) -> OnDemandFeatureView:
        return OnDemandFeatureView(
            name=name or function.__name__,
            sources=sources,
            schema=schema,
            mode=mode,
            expressions=function() if mode == "sql" else None,
            udf=None if mode == "sql" else function,
            singleton=singleton,
            description=description or inspect.getdoc(function) or "",
            tags=tags,
            owner=owner,
        )

    return make


def _sources(
    sources: Sequence[Any], place: str
) -> tuple[list[FeatureViewProjection], list[RequestSource]]:
    views: list[FeatureViewProjection] = []
    requests: list[RequestSource] = []
    if isinstance(sources, str | FeatureView | OnDemandFeatureView | RequestSource):
        raise InvalidArgumentError("sources is a list", place)
    for each in sources:
        if isinstance(each, RequestSource):
            requests.append(each)
            continue
        if isinstance(each, FeatureView | OnDemandFeatureView):
            each = each.projection
        if isinstance(each, str):
            each = FeatureViewProjection(each)
        if not isinstance(each, FeatureViewProjection):
            raise InvalidArgumentError(
                f"{each!r} is no source: give feature views, their names, and request sources",
                place,
            )
        views.append(each)
    return views, requests


def _source_from_dict(made: str | Mapping[str, Any]) -> FeatureViewProjection | RequestSource:
    if isinstance(made, str):
        return FeatureViewProjection(made)
    if "request" in made:
        return RequestSource.from_dict(made)
    return FeatureViewProjection(
        made["view"],
        made.get("alias", ""),
        tuple(made.get("features", ())),
        dict(made.get("join_key_map", {})),
    )


def function_text(function: Function, place: str) -> str:
    """The source text of a function without its decorators, such that it runs by itself."""
    try:
        text = without_decorators(inspect.getsource(function), place)
    except (OSError, TypeError):
        raise InvalidArgumentError(
            "the function's source text cannot be found: define it in a file", place
        ) from None
    unknown = sorted(set(_outer_names(function.__code__)))
    if unknown or function.__code__.co_freevars:
        names = [*unknown, *function.__code__.co_freevars]
        raise InvalidArgumentError(
            f"the function uses {', '.join(names)}, which it does not define: only its own text is "
            "kept, so import or define that inside of it",
            place,
        )
    return text


def without_decorators(text: str, place: str) -> str:
    """The text of a function from its `def` on."""
    lines = textwrap.dedent(text).splitlines(keepends=True)
    starts = [i for i, line in enumerate(lines) if line.startswith("def ")]
    if not starts:
        raise InvalidArgumentError("a function is given by `def`, not a lambda", place)
    return "".join(lines[starts[0] :])


def _outer_names(code: CodeType) -> Iterator[str]:
    """Global names that the code reads and that are not there when its text is run by itself."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            name = str(instruction.argval)
            if not hasattr(builtins, name) and name not in GIVEN_NAMES:
                yield name
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _outer_names(constant)
