"""Keys over the wire: which requests pass, which are refused, and how soon changes count."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from server_process import Answer, ServerProcess, create_key, run_program

LIST = "/list-feature-views"
SEEN_WITHIN_SECONDS = 1.0


def bearer(key: dict[str, str]) -> dict[str, str]:
    return {"Authorization": f"Bearer {key['key']}"}


def until_seen(server: ServerProcess, last: dict[str, str]) -> None:
    """Until the running server, which looks every second, has seen the key that was made last."""
    while server.get(LIST).status != 401:
        pass
    while server.request("GET", LIST, headers=bearer(last)).status == 401:
        pass


def schema(name: str) -> str:
    columns = [{"name": "v", "type": "int"}, {"name": "event_timestamp", "type": "timestamp"}]
    return json.dumps({"name": name, "entities": ["id"], "schema": columns})


def signed(
    server: ServerProcess,
    key: dict[str, str],
    method: str,
    path: str,
    query: str = "",
    body: bytes = b"",
    *,
    secret: str | None = None,
    when: dt.datetime | None = None,
    sent_body: bytes | None = None,
) -> Answer:
    """A request signed as AWS clients sign it, written here anew from AWS's description."""
    time_text = (when or dt.datetime.now(dt.UTC)).strftime("%Y%m%dT%H%M%SZ")
    host = f"127.0.0.1:{server.port}"
    scope = f"{time_text[:8]}/eu-north-1/sagemaker/aws4_request"
    canonical_query = "&".join(sorted(query.split("&"))) if query else ""
    canonical = "\n".join(
        [
            method,
            quote(path, safe="/~"),
            canonical_query,
            f"host:{host}",
            f"x-amz-date:{time_text}",
            "",
            "host;x-amz-date",
            hashlib.sha256(body).hexdigest(),
        ]
    )
    text = (
        f"AWS4-HMAC-SHA256\n{time_text}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    )
    digest = ("AWS4" + (secret or key["aws_secret_access_key"])).encode()
    for part in [*scope.split("/"), text]:
        digest = hmac.new(digest, part.encode(), hashlib.sha256).digest()
    credential = f"{key['aws_access_key_id']}/{scope}"
    return server.request(
        method,
        path + ("?" + query if query else ""),
        body=body if sent_body is None else sent_body,
        headers={
            "Host": host,
            "X-Amz-Date": time_text,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, "
            f"SignedHeaders=host;x-amz-date, Signature={digest.hex()}",
        },
    )


def test_keys_are_asked_for_once_the_store_has_one(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        assert server.get(LIST).status == 200, "an embedded store on this machine needs none"
        key = create_key(tmp_path, ["read"])
        made = time.monotonic()
        while server.get(LIST).status == 200:
            assert time.monotonic() - made < SEEN_WITHIN_SECONDS
        refused = server.get(LIST)
        assert refused.status == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "send one" in refused.text
        for headers in (
            bearer(key),
            {"x-api-key": key["key"]},
            {**bearer(key), "x-api-key": key["key"]},
        ):
            assert server.request("GET", LIST, headers=headers).status == 200
        assert server.get("/health").status == 200
        assert server.get("/metrics").status == 401
        for text in (key["id"], key["key"][:-1], key["key"] + "x", f"{key['id']}.", "x"):
            assert server.get(LIST, Authorization=f"Bearer {text}").status == 401
            assert key["aws_secret_access_key"] not in server.get(LIST, x_api_key=text).text


def test_scopes_and_projects(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        everything = create_key(tmp_path, ["read,write,admin"])
        reader = create_key(tmp_path, ["read"])
        writer = create_key(tmp_path, ["write"])
        fraud = create_key(tmp_path, ["read,admin@fraud"], "the fraud team")
        until_seen(server, fraud)

        def post(path: str, body: str, key: dict[str, str]) -> Answer:
            return server.request("POST", path, body, bearer(key))

        frame = json.dumps(
            {"df": {"id": [1], "v": [2], "event_timestamp": ["2026-05-01T08:00:00Z"]}}
        )
        refused = post("/feature-view", schema("t"), writer)
        assert refused.status == 403
        assert writer["id"] in refused.text
        assert "admin" in refused.text
        assert post("/feature-view", schema("t"), reader).status == 403
        assert post("/feature-view", schema("t"), everything).status == 201
        assert post("/t/push", frame, reader).status == 403
        assert post("/t/push", frame, writer).status == 200
        assert server.request("GET", LIST, headers=bearer(writer)).status == 403
        # A key of one project is about that project, without saying so.
        assert post("/feature-view", schema("u"), fraud).status == 201
        names = [
            [
                view["name"]
                for view in server.request("GET", LIST, headers=bearer(key)).json()["feature_views"]
            ]
            for key in (everything, fraud)
        ]
        assert names == [["t"], ["u"]]


@pytest.mark.parametrize(
    ("method", "path", "headers", "shape", "without", "lacking"),
    [
        ("GET", "/v1/projects/default/views", {}, ("error", "code"), 401, "PERMISSION_DENIED"),
        ("GET", LIST, {}, ("code",), 401, "PERMISSION_DENIED"),
        ("POST", "/get-online-features", {}, (), 401, "FeastPermissionError"),
        (
            "GET",
            "/FeatureGroup/x?RecordIdentifierValueAsString=1",
            {},
            ("__type",),
            403,
            "AccessForbidden",
        ),
        (
            "POST",
            "/",
            {
                "X-Amz-Target": "SageMaker.ListFeatureGroups",
                "Content-Type": "application/x-amz-json-1.1",
            },
            ("__type",),
            403,
            "AccessDeniedException",
        ),
    ],
)
def test_every_dialect_refuses_in_its_own_words(
    tmp_path: Path,
    method: str,
    path: str,
    headers: dict[str, str],
    shape: tuple[str, ...],
    without: int,
    lacking: str,
) -> None:
    writer = create_key(tmp_path, ["write"])
    with ServerProcess(tmp_path) as server:
        refused = server.request(method, path, "{}", headers)
        assert refused.status == without, refused.text
        refused = server.request(method, path, "{}", {**headers, **bearer(writer)})
        assert refused.status == 403, refused.text
        told = refused.json()
        for member in shape:
            told = told[member]
        assert lacking in told
        assert writer["id"] in refused.text
        assert writer["key"] not in refused.text


def test_who_may_start_a_job_may_watch_and_cancel_it(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        everything = create_key(tmp_path, ["read,write,admin"])
        writer = create_key(tmp_path, ["write"])
        elsewhere = create_key(tmp_path, ["read,write,admin@fraud"])
        until_seen(server, elsewhere)
        assert (
            server.request("POST", "/feature-view", schema("t"), bearer(everything)).status == 201
        )
        project = "/v1/projects/default"
        started = server.request("POST", f"{project}/materialize", "{}", bearer(writer))
        assert started.status == 202, started.text
        job = f"{project}/jobs/{started.json()['job']['id']}"
        assert server.request("GET", f"{job}?wait_ms=20000", headers=bearer(writer)).status == 200
        assert server.request("DELETE", job, headers=bearer(writer)).status == 200
        assert server.request("GET", f"{project}/jobs", headers=bearer(writer)).status == 403
        assert server.request("GET", job, headers=bearer(elsewhere)).status == 403
        later = bearer(everything) | {"Prefer": "respond-async"}
        of_admin = server.request("POST", f"{project}/relocate", "{}", later)
        assert of_admin.status == 202, of_admin.text
        job = f"{project}/jobs/{of_admin.json()['job']['id']}"
        for method in ("GET", "DELETE"):
            refused = server.request(method, job, headers=bearer(writer))
            assert refused.status == 403
            assert "needs the scope admin in project default" in refused.text


def test_a_key_of_one_project_names_files_of_the_source_folders_only(tmp_path: Path) -> None:
    store, allowed, elsewhere = (tmp_path / name for name in ("store", "allowed", "elsewhere"))
    for folder in (store, allowed, elsewhere):
        folder.mkdir()
        (folder / "a.csv").write_text("id,v,event_timestamp\n1,2,2026-05-01T08:00:00Z\n")
    (allowed / "link.csv").symlink_to(elsewhere / "a.csv")

    def view(source: dict[str, Any], name: str = "a") -> str:
        definitions = {
            "entities": [{"name": "id", "join_keys": [{"name": "id", "type": "int64"}]}],
            "feature_views": [{"name": name, "entities": ["id"], "source": source}],
        }
        return json.dumps({"definitions": definitions})

    with ServerProcess(store, "--source-folders", str(allowed)) as server:
        everything = create_key(store, ["read,write,admin"])
        fraud = create_key(store, ["read,admin@fraud"])
        until_seen(server, fraud)
        project = "/v1/projects/fraud"

        def post(path: str, body: str, key: dict[str, str]) -> Answer:
            return server.request("POST", f"{project}/{path}", body, bearer(key))

        adbc = {"type": "adbc", "driver": "adbc_driver_postgresql", "uri": "${PGURI}", "table": "t"}
        for source in (
            {"path": str(elsewhere / "a.csv")},
            {"path": "a.csv"},  # of the store's folder, which other projects have too
            {"path": str(allowed / "link.csv")},
            {"path": str(allowed / "*" / ".." / ".." / "elsewhere" / "a.csv")},
            {"path": str(allowed / ".." / "elsewhere" / "a.csv")},
            {"path": str(tmp_path / "allowed*" / "a.csv")},
            {"table": "other.t", "format": "iceberg"},
            adbc,
        ):
            for path in ("plan", "apply"):
                refused = post(path, view(source), fraud)
                assert refused.status == 403, (source, refused.text)
                assert "view a" in refused.text
                assert str(allowed) in refused.text
        for folder, status in ((elsewhere, 403), (allowed, 200)):
            query = "SELECT id, event_timestamp, v FROM rows"
            source = {"name": "rows", "path": str(folder / "a.csv")}
            computed = json.loads(view({}, "computed"))
            computed["definitions"]["feature_views"][0] = {
                "name": "computed",
                "entities": ["id"],
                "batch": {"sql": query, "sources": [source]},
            }
            told = post("apply", json.dumps(computed), fraud)
            assert told.status == status, told.text
        assert post("apply", view({"path": str(allowed / "a.csv")}), fraud).status == 200
        # What whoever runs the server has applied stays, with all that does not move its source.
        assert post("apply", view({"path": "a.csv"}, "b"), everything).status == 200
        assert post("apply", view({"path": "a.csv"}, "b"), fraud).status == 200
        old = server.request("PUT", f"{project}/databases/old", headers=bearer(fraud))
        assert old.status == 200, old.text
        for folder, status in ((elsewhere, 403), (allowed, 201)):
            table = json.dumps({"database": "old", "table": "t", "path": str(folder / "a.csv")})
            made = post("registered-tables", table, fraud)
            assert made.status == status, made.text


def test_metrics_ask_for_a_key_that_reads_every_project_they_tell_of(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        everything = create_key(tmp_path, ["read,write,admin"])
        fraud = create_key(tmp_path, ["read,admin@fraud"])
        until_seen(server, fraud)
        for key, name in ((everything, "secret_plans"), (fraud, "u")):
            made = server.request("POST", "/feature-view", schema(name), bearer(key))
            assert made.status == 201
        refused = server.request("GET", "/metrics", headers=bearer(fraud))
        assert refused.status == 403
        assert "secret_plans" not in refused.text
        told = server.request("GET", "/metrics", headers=bearer(everything))
        assert told.status == 200
        assert "tidemark_store_readable" in told.text


def test_revoked_and_ended_keys_are_refused(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        lasting, short = (
            create_key(tmp_path, ["read"]),
            create_key(tmp_path, ["read"], "--expires", "2s"),
        )
        made = time.monotonic()
        while server.request("GET", LIST, headers=bearer(short)).status != 200:
            assert time.monotonic() - made < SEEN_WITHIN_SECONDS
        while (ended := server.request("GET", LIST, headers=bearer(short))).status == 200:
            assert time.monotonic() - made < 2 + SEEN_WITHIN_SECONDS
        assert "past its end" in ended.text
        assert server.request("GET", LIST, headers=bearer(lasting)).status == 200
        run_program(tmp_path, "keys", "revoke", lasting["id"])
        revoked_at = time.monotonic()
        while (revoked := server.request("GET", LIST, headers=bearer(lasting))).status == 200:
            assert time.monotonic() - revoked_at < SEEN_WITHIN_SECONDS
        assert "revoked" in revoked.text
        assert server.get(LIST).status == 401, "a store that had keys does not fall open"


def test_signatures_of_aws_clients(tmp_path: Path) -> None:
    key = create_key(tmp_path, ["read,write,admin"])
    with ServerProcess(tmp_path) as server:
        body = schema("t").encode()
        assert signed(server, key, "GET", LIST).status == 200
        assert signed(server, key, "POST", "/feature-view", body=body).status == 201
        entities = "%5B%7B%22entity%22%3A%22id%22%2C%22value%22%3A%5B%5D%7D%5D"
        query = f"feature_refs=%5B%22v%22%5D&entities={entities}"
        assert signed(server, key, "GET", "/t%2Fx/online-features", query).status == 404
        assert signed(server, key, "GET", LIST, "b=2&a=1&a=0&c").status == 401, (
            "c= is what is signed"
        )
        assert signed(server, key, "GET", LIST, "b=2&a=1&a=0").status == 200

        wrong = signed(server, key, "GET", LIST, secret="x" * 43)
        assert wrong.status == 401
        assert "signature" in wrong.text
        assert signed(server, key | {"aws_access_key_id": "A" * 20}, "GET", LIST).status == 401
        other = signed(server, key, "POST", "/feature-view", body=body, sent_body=body + b" ")
        assert other.status == 401
        for minutes, status in ((-14, 200), (14, 200), (-16, 401), (16, 401)):
            when = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes)
            assert signed(server, key, "GET", LIST, when=when).status == status, minutes


def test_other_machines_need_a_key_or_an_explicit_word(tmp_path: Path) -> None:
    """Goal: a server that others can reach never opens by accident."""
    refused = run_program(tmp_path, "serve", "--host", "0.0.0.0", "--port", "0", check=False)
    assert refused.returncode == 2
    assert "--insecure" in refused.stderr
    assert "keys create" in refused.stderr
    with ServerProcess(tmp_path, "--host", "0.0.0.0", "--insecure") as server:
        assert server.get(LIST).status == 200
    with ServerProcess(tmp_path, "--host", "0.0.0.0", "--require-keys", "yes") as server:
        assert server.get(LIST).status == 401
    key = create_key(tmp_path, ["read"])
    with ServerProcess(tmp_path, "--host", "0.0.0.0") as server:
        assert server.get(LIST).status == 401
        assert server.request("GET", LIST, headers=bearer(key)).status == 200
    open_on_loopback = ("--require-keys", "no")
    with ServerProcess(tmp_path, *open_on_loopback) as server:
        assert server.get(LIST).status == 200
    refused = run_program(
        tmp_path, "serve", "--host", "0.0.0.0", "--port", "0", *open_on_loopback, check=False
    )
    assert refused.returncode == 2


def test_no_secret_reaches_a_log_or_a_listing(tmp_path: Path) -> None:
    key = create_key(tmp_path, ["read"], "dashboard", "--expires", "90d")
    log = tmp_path / "access.log"
    with ServerProcess(tmp_path, "--access-log", str(log)) as server:
        server.request("GET", LIST, headers=bearer(key))
        server.get(LIST, Authorization="Bearer " + key["key"] + "x")
        server.stop()
        lines = server.lines
    listed = run_program(tmp_path, "--output", "json", "keys", "list").stdout
    assert [row["id"] for row in json.loads(listed)] == [key["id"]]
    assert json.loads(listed)[0]["name"] == "dashboard"
    assert json.loads(listed)[0]["expires"] is not None
    # In any order: each thread writes its own.
    logged = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["key"] for line in logged if "key" in line] == [key["id"]]
    for text in (log.read_text(), listed, "\n".join(lines)):
        assert key["aws_secret_access_key"] not in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["create"],
        ["create", "--scope", "root"],
        ["create", "--scope", "read@a b"],
        ["create", "--scope", "read", "--expires", "2020-01-01"],
        ["create", "--scope", "read", "--expires", "soon"],
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    create_key(tmp_path, ["read"])
    refused = run_program(tmp_path, "keys", *arguments, check=False)
    assert refused.returncode == 2, refused.stderr
    unknown = run_program(tmp_path, "keys", "revoke", "TMAK0", check=False)
    assert unknown.returncode != 0
    assert "TMAK0" in unknown.stderr
