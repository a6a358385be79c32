"""HTTPS: versions, certificates that change, certificates of clients; all are made here."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest
from server_process import TIMEOUT_SECONDS, ServerProcess, read_answer, run_program
from test_server_http import read_all


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


@dataclass(frozen=True)
class Authority:
    """Signs certificates; `certificate` is who trusts them."""

    folder: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    @classmethod
    def make(cls, folder: Path) -> Authority:
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder)
        openssl(
            *(
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *(
                "-keyout",
                folder / "ca.key",
                "-out",
                made.certificate,
                "-days",
                "2",
                "-subj",
                "/CN=authority",
            ),
        )
        return made

    def sign(self, name: str) -> tuple[Path, Path]:
        """The certificate of `name`, and its key."""
        key, request, signed = (self.folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        openssl(
            *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", key, "-out", request, "-subj", f"/CN={name}"),
        )
        names = self.folder / "names"
        names.write_text("subjectAltName=IP:127.0.0.1\n")
        openssl(
            *(
                "x509",
                "-req",
                "-in",
                request,
                "-CA",
                self.certificate,
                "-CAkey",
                self.folder / "ca.key",
            ),
            *("-CAcreateserial", "-out", signed, "-days", "2", "-extfile", names),
        )
        return signed, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.certificate))


def flags_for(authority: Authority, *more: str) -> list[str]:
    certificate, key = authority.sign("server")
    return ["--tls-cert", str(certificate), "--tls-key", str(key), *more]


def version_with(server: ServerProcess, version: ssl.TLSVersion) -> str | None:
    """What is agreed on by a client that knows one version only; None if the server refuses it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the old ones, which is the point
        context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", server.port), timeout=TIMEOUT_SECONDS) as plain:
        try:
            with context.wrap_socket(plain) as secure:
                return secure.version()
        except (ssl.SSLError, ConnectionResetError):
            return None


def test_versions(tmp_path: Path, authority: Authority) -> None:
    with ServerProcess(tmp_path, *flags_for(authority)) as server:
        assert server.scheme == "https"
        assert server.request("GET", "/health", context=trusting(authority)).status == 200
        assert version_with(server, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
        assert version_with(server, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        assert version_with(server, ssl.TLSVersion.TLSv1_1) is None
        assert version_with(server, ssl.TLSVersion.TLSv1) is None
        with pytest.raises(ssl.SSLCertVerificationError):
            server.request("GET", "/health", context=ssl.create_default_context())


def test_no_plain_http_on_the_port_and_no_hang(tmp_path: Path, authority: Authority) -> None:
    with ServerProcess(tmp_path, *flags_for(authority), "--request-time-max", "500ms") as server:
        with server.socket() as client:
            client.sendall(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n")
            assert b"HTTP/1.1 200" not in read_all(client)
        with server.socket() as client:  # says nothing: a handshake has its time too
            assert read_all(client) == b""
        assert server.request("GET", "/health", context=trusting(authority)).status == 200


def test_a_client_that_waits_to_be_told_to_continue_is_told(
    tmp_path: Path, authority: Authority
) -> None:
    """Goal: curl and others hold a large body back for a second where nobody says to go on."""
    with (
        ServerProcess(tmp_path, *flags_for(authority)) as server,
        server.socket() as plain,
        trusting(authority).wrap_socket(plain, server_hostname="127.0.0.1") as client,
    ):
        for body in (b"{}", b"[]"):  # and again, on the same connection
            client.sendall(
                b"POST /get-online-features HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"
                b"Content-Length: 2\r\n\r\n"
            )
            assert client.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(body)
            assert client.recv(4096).startswith(b"HTTP/1.1 422 ")


def test_kept_connections_and_large_bodies(tmp_path: Path, authority: Authority) -> None:
    with ServerProcess(tmp_path, *flags_for(authority), "--body-max", "1MiB") as server:
        connection = server.connect(trusting(authority))
        for _ in range(20):
            connection.request("GET", "/list-feature-views")
            assert read_answer(connection.getresponse()).status == 200
        connection.request("POST", "/feature-view", body=b"[" + b" " * 900_000 + b"]")
        assert read_answer(connection.getresponse()).status == 400
        connection.close()


def serial_of(server: ServerProcess) -> str:
    return ssl.get_server_certificate(("127.0.0.1", server.port), timeout=TIMEOUT_SECONDS)


def test_a_certificate_that_changes_is_used(tmp_path: Path, authority: Authority) -> None:
    """Goal: new connections get the new one; old ones go on; a broken one is not used, and told."""
    flags = flags_for(authority)
    certificate, key = Path(flags[1]), Path(flags[3])
    with ServerProcess(tmp_path, *flags) as server:
        before = serial_of(server)
        kept = server.connect(trusting(authority))
        kept.request("GET", "/health")
        assert read_answer(kept.getresponse()).status == 200

        other = Authority(authority.folder).sign("renewed")
        os.replace(other[1], key)
        os.replace(other[0], certificate)
        until = time.monotonic() + TIMEOUT_SECONDS
        while serial_of(server) == before:
            assert time.monotonic() < until
        assert server.request("GET", "/health", context=trusting(authority)).status == 200
        kept.request("GET", "/health")
        assert read_answer(kept.getresponse()).status == 200
        kept.close()

        renewed = serial_of(server)
        certificate.write_text("no certificate")
        assert server.wait_for_line(re.compile("certificate is not used")) is not None
        assert serial_of(server) == renewed


def test_certificates_of_clients(tmp_path: Path, authority: Authority) -> None:
    strangers = Authority.make(tmp_path / "strangers")
    flags = flags_for(authority, "--tls-client-ca", str(authority.certificate))
    store = tmp_path / "store"
    store.mkdir()
    with ServerProcess(store, *flags) as server:

        def ask(who: Authority | None) -> int:
            context = trusting(authority)
            if who is not None:
                certificate, key = who.sign("client")
                context.load_cert_chain(certificate, key)
            return server.request("GET", "/health", context=context).status

        assert ask(authority) == 200
        for refused in (None, strangers):
            with pytest.raises((ssl.SSLError, ConnectionResetError, BrokenPipeError)):
                ask(refused)


def test_a_certificate_and_key_that_do_not_belong_together(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, _ = authority.sign("one")
    _, key = authority.sign("two")
    refused = run_program(
        tmp_path, "serve", "--tls-cert", str(certificate), "--tls-key", str(key), check=False
    )
    assert refused.returncode != 0
    assert str(key) in refused.stderr
