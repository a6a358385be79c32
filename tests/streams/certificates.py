"""Who a broker and its readers say that they are: an authority, what it has signed, and another
authority that nobody trusts.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-days", "2")


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Certificates:
    """PEM files in a folder. Keys without a password."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = self._authority("authority")
        self.other_authority = self._authority("other-authority")
        self.reader, self.reader_key = self._signed("reader", "subjectAltName=DNS:reader")
        certificate, key = self._signed("broker", "subjectAltName=IP:127.0.0.1")
        self.broker = folder / "broker-with-key.pem"  # as Kafka wants them: in one file
        self.broker.write_text(key.read_text() + certificate.read_text())

    def _authority(self, name: str) -> Path:
        certificate = self._folder / f"{name}.pem"
        key = self._folder / f"{name}-key.pem"
        subject = ("-subj", f"/CN={name}")
        _openssl("req", "-x509", *_CURVE, *subject, "-keyout", key, "-out", certificate)
        return certificate

    def _signed(self, name: str, extension: str) -> tuple[Path, Path]:
        certificate = self._folder / f"{name}.pem"
        key = self._folder / f"{name}-key.pem"
        by = ("-CA", self.authority, "-CAkey", self._folder / "authority-key.pem")
        subject = ("-subj", f"/CN={name}", "-addext", extension)
        _openssl("req", "-x509", *_CURVE, *subject, *by, "-keyout", key, "-out", certificate)
        return certificate, key
