"""Goal: a topic is read through TLS, of a broker that is who it says it is, by a reader that is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from clicks import USER, Account, check_account, clicks
from kafka_broker import PASSWORD, KafkaBroker
from kafka_broker import USER as USER_NAME

from tidemark import FeatureStore, KafkaSource
from tidemark.errors import InvalidArgumentError, PermissionDeniedError

# What a broker says of a client without one, as its version of Java has it.
NO_CERTIFICATE = "certificate required|bad certificate"


class Guarded:
    """A topic with messages, and the store that they are to be read into."""

    def __init__(self, folder: Path, broker: KafkaBroker, servers: str, topic: str) -> None:
        broker.create_topic(topic, 3)
        self._account = Account(broker, topic, 3)
        self._account.send(90)
        self._account.flush()
        self._servers = servers
        self._topic = topic
        self._store = FeatureStore(folder / "store")

    def read(self, **security: str | Path) -> None:
        """With settings whose points are underscores."""
        view = clicks(self._servers, self._topic)
        assert isinstance(view.stream_source, KafkaSource)
        view.stream_source.security.update(
            {name.replace("_", "."): str(value) for name, value in security.items()}
        )
        self._store.apply([USER, view])
        self._store.run_stream(until_end=True)

    def refused(self, **security: str | Path) -> str:
        with pytest.raises(PermissionDeniedError) as refused:
            self.read(**security)
        assert f"topic '{self._topic}'" in str(refused.value)
        assert "security settings" in str(refused.value)
        return str(refused.value)

    def check_status_says(self, what: str) -> None:
        [status] = self._store.stream_status()
        assert (status.rows, status.lag) == (0, None)
        assert status.stream_error is not None
        assert re.search(what, status.stream_error)

    def check(self) -> None:
        check_account(self._store, self._account)


def test_a_broker_shows_who_it_is(
    tmp_path: Path, broker: KafkaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLICKS_PASSWORD", PASSWORD)
    guarded = Guarded(tmp_path, broker, broker.servers_by_both, "behind-tls")
    settings = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_username": USER_NAME,
        "sasl_password": "${CLICKS_PASSWORD}",
    }
    certificates = broker.certificates
    told = guarded.refused(**settings, ssl_ca_location=certificates.other_authority)
    assert "ssl.ca.location" in told
    guarded.check_status_says(r"ssl\.ca\.location")
    assert "ssl.ca.location" in guarded.refused(**settings)
    monkeypatch.setenv("CLICKS_PASSWORD", "guessed")
    told = guarded.refused(**settings, ssl_ca_location=certificates.authority)
    assert "guessed" not in told
    with pytest.raises(InvalidArgumentError, match=r"ssl\.ca\.location"):
        guarded.read(**settings, ssl_ca_location=tmp_path / "nowhere.pem")
    monkeypatch.setenv("CLICKS_PASSWORD", PASSWORD)
    guarded.read(**settings, ssl_ca_location=certificates.authority)
    guarded.check()


def test_a_broker_asks_for_a_certificate(tmp_path: Path, broker: KafkaBroker) -> None:
    certificates = broker.certificates
    guarded = Guarded(tmp_path, broker, broker.servers_by_tls, "certified")
    settings = {"security_protocol": "SSL", "ssl_ca_location": certificates.authority}
    assert re.search(NO_CERTIFICATE, guarded.refused(**settings))
    guarded.check_status_says(NO_CERTIFICATE)
    guarded.read(
        **settings,
        ssl_certificate_location=certificates.reader,
        ssl_key_location=certificates.reader_key,
    )
    guarded.check()
