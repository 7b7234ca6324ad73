"""The ledger's events to Kafka. Protocol-tested against librdkafka's mock cluster, not run on a real broker.

A message: the topic's own name behind a prefix, key `session:offset`, value the event as `vikalp events --json` prints
it. The producer is idempotent and gapless: within a partition messages come in order and none is missing before one
that is there; what is sent again after a failure has the key it had.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from core.errors import ConfigError
from core.records import LedgerEvent
from storage.ledger.read import to_json

CONFIRM_S = 2.5  # of one call; well below supervision.stuck_s
OURS: Mapping[str, Any] = {
    "acks": "all",
    "enable.idempotence": True,
    "enable.gapless.guarantee": True,
    "message.timeout.ms": 2_000,
    "request.timeout.ms": 1_500,
    "socket.timeout.ms": 1_500,
    "socket.connection.setup.timeout.ms": 1_500,
    "linger.ms": 5,
    "client.id": "vikalp",
    "log_level": 2,  # what goes wrong is told once, by us
}


class KafkaSink:
    """Implements core.ports.events.EventSink; a picklable description that connects on first use.

    `properties` is a file of librdkafka's own settings, one `name=value` a line, such as those of TLS and SASL.
    """

    def __init__(self, bootstrap: str, *, prefix: str = "", properties: str = "", confirm_s: float = CONFIRM_S) -> None:
        self._about = (bootstrap, prefix, properties, confirm_s)
        self._producer: Any = None

    def __reduce__(self) -> tuple[Any, ...]:
        bootstrap, prefix, properties, confirm_s = self._about
        return partial(KafkaSink, prefix=prefix, properties=properties, confirm_s=confirm_s), (bootstrap,)

    def publish(self, events: Sequence[LedgerEvent]) -> tuple[int, str]:
        """A producer that did not confirm all is thrown away with what it still held."""
        answers: dict[int, str] = {}
        _, prefix, _, confirm_s = self._about
        producer = self._connected()
        why = ""
        try:
            for number, event in enumerate(events):
                producer.produce(
                    f"{prefix}{event.topic}",
                    key=f"{event.session_id}:{event.offset}",
                    value=to_json(event),
                    on_delivery=partial(_answered, answers, number),
                )
        except (BufferError, _kafka().KafkaException) as error:  # what it took until then may still arrive
            why = f"{error}"
        producer.flush(confirm_s)
        taken = next((number for number in range(len(events)) if answers.get(number) != ""), len(events))
        if taken < len(events):
            why = answers.get(taken) or why or f"no answer within {confirm_s:g} s"
            self.close()  # which answers what is left with a purge
        return taken, f"Kafka at {self._about[0]}: {why}" if taken < len(events) else ""

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge(in_queue=True, in_flight=True, blocking=False)
            producer.flush(0)

    def _connected(self) -> Any:
        if self._producer is None:
            bootstrap, _, properties, _ = self._about
            own = {"bootstrap.servers": bootstrap, "error_cb": _said_later, **OURS}
            try:
                self._producer = _kafka().Producer({**read_properties(properties), **own})
            except (_kafka().KafkaException, ValueError) as error:
                raise ConfigError(f"events.kafka: {error}") from error
        return self._producer


def read_properties(path: str) -> dict[str, str]:
    """ConfigError for a file that others may read, as it may hold a password, or a line that is no `name=value`."""
    if not path:
        return {}
    try:
        shared = Path(path).stat().st_mode & 0o077
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"events.kafka.properties: {error}") from error
    if shared:
        raise ConfigError(f"events.kafka.properties: others may read {path}, which may hold a password: chmod 600 it")
    told = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]
    if odd := [number for number, line in enumerate(told, 1) if "=" not in line]:
        raise ConfigError(f"events.kafka.properties: {path}: expected name=value, setting {odd[0]} has no =")
    return {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in told)}


def require() -> None:
    """ConfigError where confluent-kafka is not installed."""
    try:
        _kafka()
    except ImportError as error:
        raise ConfigError(f"events.kafka needs confluent-kafka ({error}): pip install 'vikalp[kafka]'") from error


def _kafka() -> Any:
    import confluent_kafka  # noqa: PLC0415 an extra

    return confluent_kafka


def _answered(answers: dict[int, str], number: int, error: Any, _message: object) -> None:
    answers[number] = "" if error is None else error.str()


def _said_later(_error: object) -> None:
    """What a broker's absence does to the messages is told with them."""
