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


@dataclass(init=False, repr=False)
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

    driver: str
    uri: str
    table: str
    query: str
    schema: str
    catalog: str
    entrypoint: str
    options: dict[str, str]
    timeout: timedelta
    name: str = ""
    timestamp_field: str = ""
    created_timestamp_column: str = ""
    field_mapping: dict[str, str] = field(default_factory=dict)
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    owner: str = ""

    def __init__(
        self,
        *,
        driver: str = "",
        uri: str = "",
        table: str = "",
        query: str = "",
        timestamp_field: str = "",
        created_timestamp_column: str = "",
        name: str = "",
        field_mapping: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        schema: str = "",
        catalog: str = "",
        entrypoint: str = "",
        timeout: timedelta | str | int = 0,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        if bool(table) == bool(query):
            raise InvalidArgumentError(
                f"{type(self).__name__}: a source in a warehouse is a table= or a query=: give one"
            )
        if self.TYPE == "adbc" and not driver:
            raise InvalidArgumentError("AdbcSource: name the driver, such as driver='postgresql'")
        self.driver = driver
        self.uri = uri
        self.table = table
        self.query = query
        self.schema = schema
        self.catalog = catalog
        self.entrypoint = entrypoint
        self.options = {key: str(value) for key, value in (options or {}).items()}
        self.timeout = timeout if isinstance(timeout, timedelta) else parse_duration(timeout)
        self.name = name
        self.timestamp_field = timestamp_field
        self.created_timestamp_column = created_timestamp_column
        self.field_mapping = dict(field_mapping or {})
        self.description = description
        self.tags = dict(tags or {})
        self.owner = owner

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
            "timeout": duration_text(self.timeout) if self.timeout else "",
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
        source = object.__new__(WAREHOUSE_SOURCES[made["type"]])
        known = {name: value for name, value in made.items() if name != "type"}
        AdbcSource.__init__(source, **known)
        return source


class PostgreSQLSource(AdbcSource):
    """A table or query of PostgreSQL, by the package adbc-driver-postgresql.

    Without a `uri`, libpq's own environment variables (PGHOST, PGUSER, PGPASSWORD, ...) and
    ~/.pgpass say where it is.
    """

    TYPE = "postgresql"


class BigQuerySource(AdbcSource):
    """A table ("project.dataset.table") or query of BigQuery, by adbc-driver-bigquery."""

    TYPE = "bigquery"

    def __init__(
        self,
        *,
        table: str = "",
        query: str = "",
        table_ref: str = "",
        timestamp_field: str = "",
        created_timestamp_column: str = "",
        name: str = "",
        field_mapping: Mapping[str, str] | None = None,
        uri: str = "",
        options: Mapping[str, Any] | None = None,
        timeout: timedelta | str | int = 0,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        if table and table_ref:
            raise InvalidArgumentError(
                "BigQuerySource: table= and table_ref= are two words for one thing: give one"
            )
        super().__init__(
            table=table or table_ref,
            query=query,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            name=name,
            field_mapping=field_mapping,
            uri=uri,
            options=options,
            timeout=timeout,
            description=description,
            tags=tags,
            owner=owner,
        )

    @property
    def table_ref(self) -> str:
        return self.table


class SnowflakeSource(AdbcSource):
    """A table or query of Snowflake, by the package adbc-driver-snowflake.

    Names are taken as they are written: Snowflake's own are usually in capitals.
    """

    TYPE = "snowflake"

    def __init__(
        self,
        *,
        database: str = "",
        warehouse: str = "",
        schema: str = "",
        table: str = "",
        query: str = "",
        timestamp_field: str = "",
        created_timestamp_column: str = "",
        name: str = "",
        field_mapping: Mapping[str, str] | None = None,
        role: str = "",
        uri: str = "",
        options: Mapping[str, Any] | None = None,
        timeout: timedelta | str | int = 0,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        named = {_WAREHOUSE: warehouse, _ROLE: role}
        super().__init__(
            catalog=database,
            schema=schema,
            table=table,
            query=query,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            name=name,
            field_mapping=field_mapping,
            uri=uri,
            options=dict(options or {}) | {key: value for key, value in named.items() if value},
            timeout=timeout,
            description=description,
            tags=tags,
            owner=owner,
        )

    @property
    def database(self) -> str:
        return self.catalog

    @property
    def warehouse(self) -> str:
        return self.options.get(_WAREHOUSE, "")


class RedshiftSource(AdbcSource):
    """A table or query of Redshift, by adbc-driver-postgresql, whose protocol it has."""

    TYPE = "redshift"

    def __init__(
        self,
        *,
        database: str = "",
        schema: str = "",
        table: str = "",
        query: str = "",
        timestamp_field: str = "",
        created_timestamp_column: str = "",
        name: str = "",
        field_mapping: Mapping[str, str] | None = None,
        uri: str = "",
        options: Mapping[str, Any] | None = None,
        timeout: timedelta | str | int = 0,
        description: str = "",
        tags: Mapping[str, str] | None = None,
        owner: str = "",
    ) -> None:
        super().__init__(
            catalog=database,
            schema=schema,
            table=table,
            query=query,
            timestamp_field=timestamp_field,
            created_timestamp_column=created_timestamp_column,
            name=name,
            field_mapping=field_mapping,
            uri=uri,
            options=options,
            timeout=timeout,
            description=description,
            tags=tags,
            owner=owner,
        )

    @property
    def database(self) -> str:
        return self.catalog


_WAREHOUSE = "adbc.snowflake.sql.warehouse"
_ROLE = "adbc.snowflake.sql.role"

WAREHOUSE_SOURCES: dict[str, type[AdbcSource]] = {
    each.TYPE: each
    for each in (AdbcSource, PostgreSQLSource, BigQuerySource, SnowflakeSource, RedshiftSource)
}


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
