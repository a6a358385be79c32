"""Which store a script means: the address that it gives, or a default."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit
from urllib.request import url2pathname

from tidemark.errors import UnsupportedError
from tidemark.feature_store import FeatureStore

_HOST_AND_PORT = re.compile(r"[\w.-]+:\d+/?")


def open_store(
    address: str | os.PathLike[str] | None = None, project: str = "", create: bool = True
) -> FeatureStore:
    """The store at `address`: a folder, its `file://` URL, or a server's `http://host:port` or
    `host:port`.

    Without an address it is what the environment variable TIDEMARK_STORE says, or else the current
    folder.
    """
    place = os.environ.get("TIDEMARK_STORE") or "." if address is None else os.fspath(address)
    if is_server(place):
        return FeatureStore(url=_server_url(place), project=project)
    return FeatureStore(local_path(place), project=project, create=create)


def is_server(place: str) -> bool:
    """True for `http://...`, other addresses but `file://`, and `host:port`."""
    if "://" in place:
        return urlsplit(place).scheme != "file"
    return bool(_HOST_AND_PORT.fullmatch(place)) and not os.path.isdir(place)


def _server_url(place: str) -> str:
    """The URL of a server; older products wrote its host and port alone."""
    if "://" not in place:
        return f"http://{place}"
    if urlsplit(place).scheme not in ("http", "https"):
        raise UnsupportedError(
            f"{place!r}: a store is on a server at http:// or https://, or in a folder"
        )
    return place


def local_path(place: str) -> str:
    """`place` without `file://` before it."""
    url = urlsplit(place)
    return url2pathname(url.path) if url.scheme == "file" else place
