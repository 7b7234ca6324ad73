"""vikalp.yaml, overridden by the environment and the command line, read once and checked whole.

A setting may be given as VIKALP_<SECTION>__<KEY>, e.g. VIKALP_MARKET__SEED=11. A missing file, an unknown key and an
unknown VIKALP_ variable stop the start: a misspelt limit must not be a missing limit.
"""

import datetime as dt
import difflib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError, create_model, field_validator

from actors.analytics.shard import ShardConfig
from actors.feeds.config import FeedConfig
from actors.links.link import LinkConfig
from actors.oms.oms import OmsConfig
from actors.publisher import PublisherConfig
from actors.recorder import RecorderConfig
from actors.risk.risk import RiskConfig
from actors.strategies.strategy import StrategyConfig
from cluster.decide import SupervisionConfig
from cluster.state import ROOT
from core.errors import ConfigError
from core.market import INDICES
from gateway.actor import GatewayConfig

PASSPHRASE = "VIKALP_PASSPHRASE"  # noqa: S105 its name
# Read elsewhere, on purpose: where desks keep their files, whose process this is, whether CI must have a browser.
# And a secret, which is no setting: the passphrase of the stored login, for a desk that starts unattended.
OTHER_VARIABLES = frozenset({"VIKALP_HOME", "VIKALP_SESSION", "VIKALP_TEST_BROWSER", PASSPHRASE})


class _Section(BaseModel, frozen=True, extra="forbid"):
    """A part of vikalp.yaml."""


class MarketSettings(_Section):
    """Where ticks come from."""

    source: Literal["simulated", "kite", "file", "tape"] = Field(
        default="simulated",
        description="simulated: the desk's own local exchange; kite: the market at kite.root; file: a recorded chain; "
        "tape: our own recording",
    )
    seed: int = Field(
        default=7, ge=0, description="of the simulated market: the same seed and date give the same session"
    )
    session_date: dt.date | None = Field(
        default=None, description="day to simulate or replay; empty: today, or the next trading day"
    )
    speed: float = Field(default=1.0, ge=0, description="market seconds a wall second; 0: a replay as fast as it can")
    path: str = Field(default="", description="file: the recorded chain; tape: the tape's root; empty for simulated")
    instruments: str = Field(
        default="",
        description="Kite's instrument list of that day, CSV: it wins over the tables; empty: the broker's own",
    )
    hold: bool = Field(default=False, description="a replay waits for begin() before its first batch")
    ticks_per_second: int = Field(default=400, gt=0, description="rows a second and index of the simulated market")
    strikes: int = Field(default=20, gt=0, description="strikes the simulated market lists on each side of its open")


class KiteSettings(_Section):
    """The account at Kite; its secrets are typed into `vikalp login`."""

    root: str = Field(
        default="https://api.kite.trade", description="of the API; a local exchange: http://127.0.0.1:8100"
    )
    api_key: str = Field(default="", description="of your app at Kite; empty: vikalp login asks for it")
    orders: bool = Field(
        default=False, description="true: LIVE, orders go to the account; false: PAPER, on its live prices"
    )
    links: int = Field(
        default=1, ge=1, le=3, description="sockets, an actor each: 3,000 instruments a socket, at most 3 an api key"
    )


class LedgerSettings(_Section):
    """The journal of orders, fills and positions."""

    dsn: str = Field(default="", description="postgresql://… of a server elsewhere; empty: the desk runs its own")


class KafkaSettings(PublisherConfig, frozen=True, extra="forbid"):
    """The ledger's events to Kafka. Protocol-tested, not run on a real broker."""

    bootstrap: str = Field(default="", description="host:port, host:port of the brokers; empty: nothing is published")
    prefix: str = Field(default="", description="before each topic's name")
    properties: str = Field(
        default="", description="file of librdkafka's own settings (TLS, SASL), chmod 600; or empty"
    )


class EventsSettings(_Section):
    """Who is told the ledger's events, beside those who ask (`vikalp events`)."""

    kafka: KafkaSettings = KafkaSettings()


class RaySettings(_Section):
    """The desk's own Ray cluster."""

    object_store_mb: int = Field(default=300, ge=80, description="shared memory for large batches and job data, MB")
    cpus: int = Field(default=0, ge=0, description="cores Ray may plan with; 0: all of this machine")
    egress: bool = Field(
        default=False, description="oms only on a node with the resource `egress` (the whitelisted address)"
    )
    start_s: float = Field(default=240.0, gt=0, description="seconds the desk may take to come up")


class BusSettings(_Section):
    """How much may be on its way from one actor to another."""

    waiting: int = Field(
        default=64, gt=0, description="messages waiting for one subscriber; then the oldest is dropped and counted"
    )
    pace_ms: int = Field(
        default=250,
        ge=0,
        description="ms between two calls to who may hear later: the recorder; the oms of ticks",
    )
    ring_mb: int = Field(default=256, gt=0, description="MB a sender keeps until the recorder has them on disk")
    lossless_s: float = Field(
        default=30.0, gt=0, description="in a replay: seconds a subscriber may take, restarts included"
    )


class TapeSettings(_Section):
    """Where ticks and chains are recorded."""

    url: str = Field(default="", description="folder or pyarrow.fs URL; empty: tape/ in the desk's own folder")


def without(config: type[BaseModel], made: str, *names: str) -> type[BaseModel]:
    """The settings `made` of an actor without the fields the desk fills in itself, such as its index."""
    fields: dict[str, Any] = {
        name: (info.annotation, info) for name, info in config.model_fields.items() if name not in names
    }
    # Under its own name in this module, so that a settings object can be pickled.
    return create_model(made, __base__=_Section, __module__=__name__, **fields)


# An actor's own settings, less what the desk fills in: its index, its port, how a replay is paced.
LinkSettings = without(LinkConfig, "LinkSettings", "indices")
FeedSettings = without(FeedConfig, "FeedSettings", "index", "replay", "hold", "stagger_ms")
ShardSettings = without(ShardConfig, "ShardSettings", "index")
OmsSettings = without(OmsConfig, "OmsSettings", "indices")
GatewaySettings = without(GatewayConfig, "GatewaySettings", "port", "indices", "token_path", "exit_cross")


class Settings(_Section):
    """Everything a desk can be told; see vikalp.yaml for the words."""

    indices: tuple[str, ...] = Field(default=INDICES, min_length=1, description="the desk's indices")
    layout: Literal["spread", "compact"] = Field(
        default="spread",
        description="spread: feed.X and shard.X, an actor each; compact: pair.X, both in one process, 120 MB less each",
    )
    market: MarketSettings = MarketSettings()
    kite: KiteSettings = KiteSettings()
    ledger: LedgerSettings = LedgerSettings()
    events: EventsSettings = EventsSettings()
    tape: TapeSettings = TapeSettings()
    link: LinkSettings = Field(default_factory=LinkSettings, description="every link")  # type: ignore[valid-type]
    feed: FeedSettings = Field(default_factory=FeedSettings, description="every feed")  # type: ignore[valid-type]
    shard: ShardSettings = Field(default_factory=ShardSettings, description="every shard")  # type: ignore[valid-type]
    risk: RiskConfig = RiskConfig()
    oms: OmsSettings = Field(default_factory=OmsSettings, description="the order manager")  # type: ignore[valid-type]
    recorder: RecorderConfig = RecorderConfig()
    gateway: GatewaySettings = Field(default_factory=GatewaySettings, description="the page")  # type: ignore[valid-type]
    strategies: tuple[StrategyConfig, ...] = Field(default=(), description="strategies that run on this desk, in PAPER")
    ray: RaySettings = RaySettings()
    bus: BusSettings = BusSettings()
    supervision: SupervisionConfig = SupervisionConfig()

    @field_validator("indices")
    @classmethod
    def _known(cls, indices: tuple[str, ...]) -> tuple[str, ...]:
        for name in indices:
            if name not in INDICES:
                raise ValueError(f"{name} is not an index; known: {', '.join(INDICES)}")
        if len(set(indices)) != len(indices):
            raise ValueError("an index is named twice")
        return indices

    @property
    def mode(self) -> Literal["SIMULATED", "REPLAY", "PAPER", "LIVE"]:
        if self.market.source == "kite":
            return "LIVE" if self.kite.orders else "PAPER"
        return "SIMULATED" if self.market.source == "simulated" else "REPLAY"


def load(path: Path | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    """Settings of `path` (vikalp.yaml of the checkout), then the environment's, then `overrides` by dotted key.

    Raises ConfigError naming the key, what was found and what is known.
    """
    file = path or ROOT / "vikalp.yaml"
    try:
        text = file.read_text()
    except OSError as error:
        raise ConfigError(
            f"no settings: {file} cannot be read ({error.strerror}); give another with --config"
        ) from error
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: expected sections such as market:, found {type(values).__name__}")
    origins: dict[str, str] = {}  # dotted key → the variable that gave it
    for variable, key, value in _environment(os.environ):
        _put(values, key, value)
        origins[key] = f"{variable} in the environment"
    for key, value in (overrides or {}).items():
        _put(values, key, value)
        origins.pop(key, None)

    def where(key: str) -> str:
        return next((origin for own, origin in origins.items() if (key + ".").startswith(own + ".")), str(file))

    _refuse_unknown(values, Settings, where)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_words(error, where)) from error


def _environment(variables: Mapping[str, str]) -> Iterator[tuple[str, str, object]]:
    """(variable, dotted key, value) of each VIKALP_ variable that is a setting."""
    sections = {name.upper(): name for name in Settings.model_fields}
    for name, text in sorted(variables.items()):
        if not name.startswith("VIKALP_") or name in OTHER_VARIABLES:
            continue
        section, _, key = name.removeprefix("VIKALP_").partition("__")
        if section not in sections:
            known = ", ".join(f"VIKALP_{part}__…" for part in sections)
            raise ConfigError(f"the environment has {name}, which is no setting; known: {known}")
        dotted = ".".join([sections[section], *key.lower().split("__")]) if key else sections[section]
        yield name, dotted, yaml.safe_load(text)


def _put(values: dict[str, Any], dotted: str, value: object) -> None:
    *sections, last = dotted.split(".")
    for section in sections:
        inner = values.get(section)
        values[section] = dict(inner) if isinstance(inner, dict) else {}
        values = values[section]
    values[last] = value


def _refuse_unknown(
    values: Mapping[str, Any], model: type[BaseModel], where: Callable[[str], str], prefix: str = ""
) -> None:
    for key, value in values.items():
        if key not in model.model_fields:
            close = difflib.get_close_matches(str(key), model.model_fields, n=1)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(sorted(model.model_fields))}"
            raise ConfigError(f"{where(prefix + str(key))}: {prefix}{key} is not a setting; {hint}")
        inner = model.model_fields[key].annotation
        if isinstance(value, dict) and isinstance(inner, type) and issubclass(inner, BaseModel):
            _refuse_unknown(value, inner, where, f"{prefix}{key}.")


def _words(error: ValidationError, where: Callable[[str], str]) -> str:
    said = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        said.append(f"{where(key)}: {key}: {problem['msg'].removeprefix('Value error, ')} (was {problem['input']!r})")
    return "; ".join(said)
