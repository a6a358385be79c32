"""Tables on a server, by the wire format that the older SDK spoke."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from tidemark.errors import ERRORS, InvalidArgumentError, TidemarkError, UnavailableError

if TYPE_CHECKING:
    import pandas as pd

ROWS_A_REQUEST = 500
PAGE_ROWS = 10_000
PAGES_AT_ONCE = 10
TRIES = 5
TIMEOUT_SECONDS = 60.0
WAIT_SECONDS = 1.0


class ServerTables:
    """Tables of the project that the key is about, or of the server's own."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidArgumentError(f"{url!r} is no address of a server: http://host:port")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers |= {"Authorization": f"Bearer {key}", "x-api-key": key}

    def create(self, schema: Mapping[str, Any]) -> None:
        self._post("/feature-view", {name: schema[name] for name in ("name", "entities", "schema")})

    def all_tables(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self._get("/list-feature-views", {})["feature_views"]
        return listed

    def delete(self, name: str) -> None:
        self._post(f"/{quote(name, safe='')}/delete-feature-view", {})

    def push(self, name: str, frame: pd.DataFrame) -> None:
        """500 rows a request; one that is sent again writes nothing."""
        path = f"/{quote(name, safe='')}/push"
        for start in range(0, len(frame), ROWS_A_REQUEST):
            part = _columns_of(frame.iloc[start : start + ROWS_A_REQUEST])
            body = {"df": part, "to": "online_and_offline"}
            self._post(path, body, {"Idempotency-Key": str(uuid.uuid4())})

    def training(
        self,
        name: str,
        entities: Sequence[str] | None,
        features: Sequence[str] | None,
        date_from: str | None,
        date_to: str | None,
    ) -> pd.DataFrame:
        import pandas as pd

        path = f"/{quote(name, safe='')}/historical-features"
        asked = {
            "initial_date": date_from,
            "end_date": date_to,
            "entities": None if entities is None else json.dumps(list(entities)),
            "feature_refs": None if features is None else json.dumps(list(features)),
            "page_size": str(PAGE_ROWS),
        }
        query = {name: text for name, text in asked.items() if text is not None}

        def page(number: int) -> dict[str, Any]:
            got: dict[str, Any] = self._get(path, {**query, "page": str(number)})
            return got

        first = page(1)
        others = range(2, first["pagination"]["total_pages"] + 1)
        with ThreadPoolExecutor(PAGES_AT_ONCE) as pool:
            pages = [first, *pool.map(page, others)]
        frame = pd.DataFrame([row for each in pages for row in each["data"]])
        for column in ("event_timestamp",):
            if column in frame:
                frame[column] = pd.to_datetime(frame[column], format="ISO8601", utc=True)
        return frame

    def online(
        self, name: str, entities: Mapping[str, Sequence[Any]], features: Sequence[str]
    ) -> dict[str, list[Any]]:
        asked = [{"entity": key, "value": list(values)} for key, values in entities.items()]
        query = {
            "entities": json.dumps(asked, default=_plain),
            "feature_refs": json.dumps(list(features)),
        }
        answer: dict[str, list[Any]] = self._get(f"/{quote(name, safe='')}/online-features", query)
        return answer

    def _get(self, path: str, query: Mapping[str, str]) -> Any:
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path, None, {})

    def _post(self, path: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
        return self._ask("POST", path, json.dumps(body, default=_plain), headers or {})

    def _ask(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Any:
        """Tries again when the server is out of reach or too busy, and then only."""
        for left in reversed(range(TRIES)):
            try:
                status, text = self._exchange(method, path, body, headers)
            except (OSError, HTTPException) as error:
                if left == 0:
                    place = f"{self._host}:{self._port}"
                    raise UnavailableError(
                        f"the server {place} cannot be reached: {error}"
                    ) from error
            else:
                if 200 <= status < 300:
                    return json.loads(text) if text else None
                if status not in {429, 503} or left == 0:
                    raise _error_of(status, text)
            threading.Event().wait(WAIT_SECONDS)
        raise AssertionError("the last try returns or raises")

    def _exchange(
        self, method: str, path: str, body: str | None, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        kind = HTTPSConnection if self._secure else HTTPConnection
        connection = kind(self._host, self._port, timeout=TIMEOUT_SECONDS)
        try:
            encoded = None if body is None else body.encode()
            connection.request(method, path, encoded, {**self._headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()


def _columns_of(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Values as JSON has them: what is missing is null."""
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    for name in frame.columns:
        column = frame[name].astype(object)
        columns[str(name)] = column.where(pd.notna(column), None).tolist()
    return columns


def _plain(value: Any) -> Any:
    """Times as ISO-8601 text; numbers of numpy as Python's."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise InvalidArgumentError(f"{value!r} has no form in JSON")


def _error_of(status: int, text: str) -> TidemarkError:
    try:
        told = json.loads(text)
        message, code = str(told["detail"]), str(told.get("code", ""))
    except (ValueError, KeyError, TypeError):
        message, code = text[:500] or f"the server answered {status}", ""
    return ERRORS.get(code, TidemarkError)(message)
