"""The publisher against librdkafka's mock cluster: a protocol's test, not a broker's."""

import json
import multiprocessing
import os
import pickle
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from actors.publisher import PublisherActor, PublisherConfig
from cluster.clock import WallClock
from core.errors import ConfigError
from core.records import Alert
from storage.kafka import KafkaSink, read_properties
from storage.ledger import PostgresLedger
from storage.ledger.read import LedgerReader
from storage.places import PlaceFile

SPAWN = multiprocessing.get_context("spawn")
WITHIN_S = 30.0
EVENTS = 30


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[str]:
    """A mock cluster, which lives as long as the producer that made it."""
    producer = Producer({"test.mock.num.brokers": 3, "log_level": 0})
    brokers = producer.list_topics(timeout=WITHIN_S).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in brokers)


class Killed(PlaceFile):
    """Ends its process when it is to keep a place for the `nth` time: confirmed by the brokers, and not kept."""

    def __init__(self, path: Path, nth: int) -> None:
        super().__init__(path)
        self._left = nth

    def keep(self, places: Mapping[str, int]) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        super().keep(places)


def publisher(dsn: str, session: str, bootstrap: str, places: PlaceFile, *, page: int = 500) -> PublisherActor:
    return PublisherActor(
        PublisherConfig(page=page),
        clock=WallClock(),
        outbox=LedgerReader(dsn),
        sink=KafkaSink(bootstrap, prefix=f"{session}."),
        places=places,
        session=session,
    )


def lives(dsn: str, session: str, bootstrap: str, place: Path) -> None:
    """In a process of its own, five events at a time, until it is killed at its third five."""
    actor = publisher(dsn, session, bootstrap, Killed(place, 3), page=5)
    actor.open()
    while True:
        actor.on_timer()


def heard(bootstrap: str, session: str, enough: Callable[[list[tuple[str, str]]], bool]) -> list[tuple[str, str]]:
    """(key, value) of what a consumer of the session's alerts hears until it is enough."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": session, "auto.offset.reset": "earliest"})
    consumer.subscribe([f"{session}.system.alerts"])
    found: list[tuple[str, str]] = []
    end = time.monotonic() + WITHIN_S
    try:
        while not enough(found):
            assert time.monotonic() < end, f"heard {len(found)}"
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                found.append((message.key().decode(), message.value().decode()))
    finally:
        consumer.close()
    return found


def test_a_publisher_killed_in_the_middle_leaves_nothing_out(
    ledger: PostgresLedger, dsn: str, bootstrap: str, tmp_path: Path
) -> None:
    session, place = ledger._session, tmp_path / "published.json"
    for number in range(EVENTS):
        ledger.record_alert(Alert(at_wall_ns=number, severity="info", subject="x", message=f"{number}"))
    wanted = {f"{session}:{one.offset}" for one in ledger.events(0, ["system.alerts"], limit=10_000)}
    process = SPAWN.Process(target=lives, args=(dsn, session, bootstrap, place), daemon=True)
    process.start()
    process.join(WITHIN_S)
    assert process.exitcode == -signal.SIGKILL
    assert PlaceFile(place).read() == {session: 10}, "the third five were confirmed and not kept"
    last = publisher(dsn, session, bootstrap, PlaceFile(place))
    last.open()
    last.on_timer()
    last.close()

    found = heard(bootstrap, session, lambda found: wanted <= {key for key, _ in found})
    assert {key for key, _ in found} == wanted
    assert len(found) > len(set(found)) == EVENTS, "what came again came under its key, and is the same event"
    first = json.loads(found[0][1])
    assert (first["session_id"], first["topic"], set(first["body"])) >= (session, "system.alerts", {"message"})


def test_brokers_that_are_away_stop_nobody_and_miss_nothing_once_they_are_back(
    ledger: PostgresLedger, dsn: str, bootstrap: str, tmp_path: Path
) -> None:
    session, place = ledger._session, tmp_path / "published.json"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = publisher(dsn, session, f"127.0.0.1:{closed.getsockname()[1]}", PlaceFile(place))
        nobody.open()
        for number in range(3):
            ledger.record_alert(Alert(at_wall_ns=number, severity="info", subject="x", message=f"{number}"))
            nobody.on_timer()
    (alert,) = nobody.alerts()
    assert alert.severity == "warning"
    assert "events are not published (Kafka at 127.0.0.1:" in alert.message
    assert re.search(r"(Local: Message timed out|no answer within 2\.5 s)\): the ledger keeps them", alert.message)
    assert nobody.counts()["behind"] == LedgerReader(dsn).head(session) - PlaceFile(place).read().get(session, 0) > 0
    nobody.close()

    back = publisher(dsn, session, bootstrap, PlaceFile(place))
    back.open()
    back.on_timer()
    back.close()
    assert back.counts()["behind"] == 0
    assert len(heard(bootstrap, session, lambda found: len(found) >= 3)) == 3


def test_a_sink_travels_to_its_actor_s_process() -> None:
    sink = pickle.loads(pickle.dumps(KafkaSink("127.0.0.1:1", prefix="p.", properties="f", confirm_s=1.0)))
    assert sink._about == ("127.0.0.1:1", "p.", "f", 1.0)


def test_a_file_of_properties_is_ours_alone_and_cannot_loosen_what_is_promised(bootstrap: str, tmp_path: Path) -> None:
    file = tmp_path / "kafka.properties"
    file.write_text("# TLS\nsecurity.protocol = plaintext\n\nacks=0\nenable.idempotence=false\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_properties(str(file))
    file.chmod(0o600)
    assert read_properties(str(file))["security.protocol"] == "plaintext"
    KafkaSink(bootstrap, properties=str(file))._connected()  # with acks=0 an idempotent producer is refused
    file.write_text("sasl\n")
    with pytest.raises(ConfigError, match="name=value"):
        read_properties(str(file))
    file.write_text("no.such.property=1\n")
    with pytest.raises(ConfigError, match=r"no\.such\.property"):
        KafkaSink(bootstrap, properties=str(file))._connected()


def test_places_survive_and_a_spoilt_file_says_what_to_do(tmp_path: Path) -> None:
    places = PlaceFile(tmp_path / "published.json")
    assert places.read() == {}
    places.keep({"s": 7})
    assert PlaceFile(tmp_path / "published.json").read() == {"s": 7}
    for text in ("{", '{"s": "7"}', "[1]"):
        (tmp_path / "published.json").write_text(text)
        with pytest.raises(ConfigError, match="remove it"):
            places.read()
