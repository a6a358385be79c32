"""A Kafka broker for tests: one KRaft node on 127.0.0.1, its data in a folder of its own.

Its jars are fetched once by Maven into .cache/kafka (TIDEMARK_KAFKA names another folder): 43 MB.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from certificates import Certificates
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from faulty_proxy import FaultyProxy
from free_ports import free_ports

VERSION = "4.4.0"
ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
USER, PASSWORD = "reader", "open-sesame"  # who may come by the listeners that ask for it
# What Java is told: to start soon and stay small; and, to be measured, what Kafka's scripts say.
SMALL = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
AS_SHIPPED = ("-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20")

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tidemark.tests</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{VERSION}</version>
      <exclusions>
        <exclusion>
          <groupId>org.apache.kafka</groupId>
          <artifactId>kafka-tools-api</artifactId>
        </exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
"""


def jars() -> Path:
    """The folder of the broker's jars, fetched if they are not there."""
    cache = Path(os.environ.get("TIDEMARK_KAFKA", ROOT / ".cache" / "kafka"))
    done = cache / f"kafka-{VERSION}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            (cache / "pom.xml").write_text(_POM)
            fetch = ["mvn", "-q", "-B", "dependency:copy-dependencies"]
            subprocess.run([*fetch, f"-DoutputDirectory={cache / 'jars'}"], cwd=cache, check=True)
            done.touch()
    return cache / "jars"


def is_installed() -> bool:
    """True if a broker can run here, or be fetched."""
    return shutil.which("java") is not None and shutil.which("mvn") is not None


class KafkaBroker:
    """Started when it is made; killed, paused and started again as tests like.

    Beside the listener of `servers` one asks for a password, one for a certificate, behind TLS,
    and one for a password behind TLS.
    """

    def __init__(self, folder: Path, java_options: Sequence[str] = SMALL) -> None:
        self.folder = folder
        self._java_options = java_options
        self.port, by_network, controller, *by_security = free_ports(6)
        self.servers_by_password, self.servers_by_tls, self.servers_by_both = (
            f"127.0.0.1:{port}" for port in by_security
        )
        self.certificates = Certificates(folder)
        self.network = FaultyProxy(by_network)
        self._jars = jars()
        self._process: subprocess.Popen[bytes] | None = None
        self._settings = folder / "server.properties"
        quorum = f"127.0.0.1:{controller}"
        secured = (
            f"PASSWORD://{self.servers_by_password},TLS://{self.servers_by_tls},"
            f"BOTH://{self.servers_by_both}"
        )
        login = (
            "org.apache.kafka.common.security.plain.PlainLoginModule required "
            f'user_{USER}="{PASSWORD}";'
        )
        self._settings.write_text(
            f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{quorum}
listeners=PLAINTEXT://{self.servers},NETWORK://127.0.0.1:{by_network},CONTROLLER://{quorum},\\
  {secured}
advertised.listeners=PLAINTEXT://{self.servers},NETWORK://{self.servers_by_network},{secured}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,NETWORK:PLAINTEXT,CONTROLLER:PLAINTEXT,\\
  PASSWORD:SASL_PLAINTEXT,TLS:SSL,BOTH:SASL_SSL
sasl.enabled.mechanisms=PLAIN
listener.name.password.plain.sasl.jaas.config={login}
listener.name.both.plain.sasl.jaas.config={login}
ssl.keystore.type=PEM
ssl.keystore.location={self.certificates.broker}
ssl.truststore.type=PEM
ssl.truststore.location={self.certificates.authority}
listener.name.tls.ssl.client.auth=required
log.dirs={folder / "data"}
num.partitions=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
auto.create.topics.enable=false
log.retention.check.interval.ms=1000
"""
        )
        cluster = ["-t", "5L6g3nShT-eMCtK--X86sw", "-c", str(self._settings)]
        self._run("kafka.tools.StorageTool", "format", *cluster)
        self.start()

    @property
    def servers(self) -> str:
        """What clients connect to."""
        return f"127.0.0.1:{self.port}"

    @property
    def servers_by_network(self) -> str:
        """The same by a network that tests can cut."""
        return f"127.0.0.1:{self.network.port}"

    def cut_network(self, seconds: float) -> None:
        """Nothing passes for a while; connections of before are no more then."""
        self.network.is_silent = True
        time.sleep(seconds)
        self.network.is_silent = False
        self.network.reset()

    def _java(self, main: str, arguments: Sequence[str]) -> list[str]:
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        jars_of_it = f"{self._jars}/*"
        return ["java", *self._java_options, quiet, "-cp", jars_of_it, main, *arguments]

    def _run(self, main: str, *arguments: str) -> None:
        subprocess.run(self._java(main, arguments), check=True, capture_output=True)

    def start(self) -> None:
        """Returns when it answers."""
        with (self.folder / "broker.log").open("ab") as log:
            command = self._java("kafka.Kafka", [str(self._settings)])
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + PATIENCE_S
        admin = self.admin()
        while True:
            try:
                if admin.list_topics(timeout=2).brokers:
                    return
            except Exception:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise

    def kill(self) -> None:
        """At once, as power is lost."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """As an administrator does."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        self._process.wait(PATIENCE_S)
        self._process = None

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Connections stay, and nothing is answered."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def admin(self) -> AdminClient:
        """A client of its own."""
        return AdminClient({"bootstrap.servers": self.servers, "log_level": 0})

    def create_topic(self, name: str, partitions: int = 1, **settings: str) -> None:
        """Settings with underscores for points."""
        config = {key.replace("_", "."): value for key, value in settings.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        admin = self.admin()  # kept: its requests end with it
        for future in admin.create_topics([topic]).values():
            future.result(PATIENCE_S)

    def delete_records(self, name: str, partition: int, before: int) -> None:
        """Removes what is before an offset, as retention does."""
        admin = self.admin()
        for future in admin.delete_records([TopicPartition(name, partition, before)]).values():
            future.result(PATIENCE_S)

    def delete_topic(self, name: str) -> None:
        """Returns when no broker knows it."""
        admin = self.admin()
        for future in admin.delete_topics([name]).values():
            future.result(PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while name in admin.list_topics(timeout=5).topics:
            assert time.monotonic() < deadline

    def add_partitions(self, name: str, count: int) -> None:
        """Up to `count` of them."""
        admin = self.admin()
        for future in admin.create_partitions([NewPartitions(name, count)]).values():
            future.result(PATIENCE_S)

    def producer(self, **settings: str | int) -> Producer:
        """Idempotent, so that what it sends is there once."""
        named: Mapping[str, str | int] = {k.replace("_", "."): v for k, v in settings.items()}
        own = {"bootstrap.servers": self.servers, "enable.idempotence": True, "log_level": 0}
        return Producer({**own, **named})


@contextmanager
def kafka_broker(java_options: Sequence[str] = SMALL) -> Iterator[KafkaBroker]:
    """A broker that is gone with its data in the end."""
    folder = Path(tempfile.mkdtemp(prefix="tidemark-kafka-"))
    broker: KafkaBroker | None = None
    try:
        broker = KafkaBroker(folder, java_options)
        yield broker
    finally:
        if broker is not None:
            broker.kill()
            broker.network.close()
        shutil.rmtree(folder, ignore_errors=True)
