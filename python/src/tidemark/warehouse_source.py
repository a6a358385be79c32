"""Tables and queries of data warehouses, reached by ADBC drivers, as batch sources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from tidemark.errors import InvalidArgumentError
from tidemark.times import duration_text, parse_duration

_SECRET_WORDS = re.compile(
    r"password|passwd|pwd|passphrase|passcode|secret|token|jwt|private_?key|api_?key|access_key"
    r"|credential|authorization",
    re.IGNORECASE,
)
_VARIABLE = re.compile(r"\$\{[^}]*\}")


@dataclass(kw_only=True, repr=False)
class AdbcSource:
    """A table or a query of a data warehouse, read through an ADBC driver.

    `driver` is the name of a driver whose Python package is installed ("postgresql" is that of
    adbc-driver-postgresql), or the path of its library. Either `table` (with `schema` and `catalog`
    where needed) or `query`, a SELECT, says which rows. `options` are those of the driver's
    database. In `uri` and `options`, `${NAME}` stands for an environment variable, looked up when
    the warehouse is connected to: write no password down. A read may take `timeout`, if one is
    given, connecting included. Time columns and `field_mapping` are as those of `FileSource`.
    """

    TYPE: ClassVar[str] = "adbc"

    driver: str = ""
    uri: str = ""
    table: str = ""
    query: str = ""
    schema: str = ""
    catalog: str = ""
    entrypoint: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    timeout: timedelta | str | int = 0
    name: str = ""
    timestamp_field: str = ""
    created_timestamp_column: str = ""
    field_mapping: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    owner: str = ""

    def __post_init__(self) -> None:
        if bool(self.table) == bool(self.query):
            raise InvalidArgumentError(
                f"{type(self).__name__}: a source in a warehouse is a table= or a query=: give one"
            )
        if self.TYPE == "adbc" and not self.driver:
            raise InvalidArgumentError("AdbcSource: name the driver, such as driver='postgresql'")
        self.options = {key: str(value) for key, value in (self.options or {}).items()}
        self.timeout = _length(self.timeout)
        self.field_mapping = dict(self.field_mapping or {})
        self.tags = dict(self.tags or {})

    def _named(self, own: str, word: str) -> str:
        """What the member `own` and `word`, this form's name for it, say."""
        kept, given = getattr(self, own), getattr(self, word)
        if kept and given and kept != given:
            raise InvalidArgumentError(
                f"{type(self).__name__}: {own}= and {word}= are two words for one thing: give one"
            )
        return str(kept or given)

    def shown(self) -> dict[str, Any]:
        """The JSON form with *** for every secret that is written out."""
        made = self.to_dict()
        if self.uri:
            made["uri"] = _without_secrets(self.uri)
        if self.options:
            made["options"] = {
                name: "***"
                if _SECRET_WORDS.search(name) and not _VARIABLE.fullmatch(value)
                else _without_secrets(value)
                for name, value in self.options.items()
            }
        return made

    def __repr__(self) -> str:
        shown = self.shown()
        shown.pop("type")
        members = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{type(self).__name__}({members})"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form of definitions."""
        optional = {
            "name": self.name,
            "driver": self.driver,
            "entrypoint": self.entrypoint,
            "uri": self.uri,
            "options": self.options,
            "catalog": self.catalog,
            "schema": self.schema,
            "table": self.table,
            "query": self.query,
            "timeout": duration_text(_length(self.timeout)) if self.timeout else "",
            "timestamp_field": self.timestamp_field,
            "created_timestamp_column": self.created_timestamp_column,
            "field_mapping": self.field_mapping,
            "description": self.description,
            "tags": self.tags,
            "owner": self.owner,
        }
        return {"type": self.TYPE} | {name: value for name, value in optional.items() if value}

    @classmethod
    def from_dict(cls, made: Mapping[str, Any]) -> AdbcSource:
        known = {name: value for name, value in made.items() if name != "type"}
        return WAREHOUSE_SOURCES[made["type"]](**known)


class PostgreSQLSource(AdbcSource):
    """A table or query of PostgreSQL, by the package adbc-driver-postgresql.

    Without a `uri`, libpq's own environment variables (PGHOST, PGUSER, PGPASSWORD, ...) and
    ~/.pgpass say where it is.
    """

    TYPE = "postgresql"


@dataclass(kw_only=True, repr=False)
class BigQuerySource(AdbcSource):
    """A table ("project.dataset.table") or query of BigQuery, by adbc-driver-bigquery.

    `table_ref` is another name of `table`.
    """

    TYPE = "bigquery"

    table_ref: str = ""

    def __post_init__(self) -> None:
        self.table = self.table_ref = self._named("table", "table_ref")
        super().__post_init__()


@dataclass(kw_only=True, repr=False)
class SnowflakeSource(AdbcSource):
    """A table or query of Snowflake, by the package adbc-driver-snowflake.

    Names are taken as they are written: Snowflake's own are usually in capitals. `database` is
    another name of `catalog`; `warehouse` and `role` are among the driver's `options`.
    """

    TYPE = "snowflake"

    database: str = ""
    warehouse: str = ""
    role: str = ""

    def __post_init__(self) -> None:
        self.catalog = self.database = self._named("catalog", "database")
        named = {_WAREHOUSE: self.warehouse, _ROLE: self.role}
        self.options = dict(self.options or {}) | {key: word for key, word in named.items() if word}
        super().__post_init__()
        self.warehouse = self.options.get(_WAREHOUSE, "")
        self.role = self.options.get(_ROLE, "")


@dataclass(kw_only=True, repr=False)
class RedshiftSource(AdbcSource):
    """A table or query of Redshift, by adbc-driver-postgresql, whose protocol it has.

    `database` is another name of `catalog`.
    """

    TYPE = "redshift"

    database: str = ""

    def __post_init__(self) -> None:
        self.catalog = self.database = self._named("catalog", "database")
        super().__post_init__()


_WAREHOUSE = "adbc.snowflake.sql.warehouse"
_ROLE = "adbc.snowflake.sql.role"

WAREHOUSE_SOURCES: dict[str, type[AdbcSource]] = {
    each.TYPE: each
    for each in (AdbcSource, PostgreSQLSource, BigQuerySource, SnowflakeSource, RedshiftSource)
}


def _length(timeout: timedelta | str | int) -> timedelta:
    return timeout if isinstance(timeout, timedelta) else parse_duration(timeout)


def _without_secrets(text: str) -> str:
    """*** for the password of a URI, and for values behind words such as password=."""

    def hide(match: re.Match[str]) -> str:
        secret = match["secret"]
        return match[0] if _VARIABLE.fullmatch(secret) else match["before"] + "***" + match["after"]

    in_uri = r"(?P<before>(?:://|^(?!\w+://))[^:@/\s]*:)(?P<secret>[^\s]+)(?P<after>@)"
    named = (
        r"(?P<before>[\w.-]*(?:" + _SECRET_WORDS.pattern + r")[\w.-]*\s*=\s*)"
        r"(?P<secret>'(?:[^'\\]|\\.)*'|[^\s&;]+)(?P<after>)"
    )
    return re.sub(named, hide, re.sub(in_uri, hide, text), flags=re.IGNORECASE)
