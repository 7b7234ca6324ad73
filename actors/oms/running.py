"""A plan as the order manager keeps it: its definition, and what it has said."""

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from core.errors import InputError
from core.orders.plans import DONE, PlaceGtt, Plan
from core.orders.positions import market_date
from core.records import PlanStatus, PlanWord


class Running(msgspec.Struct):
    plan: Plan
    body: str
    words: dict[str, PlanWord] = {}

    @property
    def over(self) -> bool:
        return DONE in self.words

    @property
    def ended_on(self) -> dt.date | None:
        """The market date on which it ended; None while it runs."""
        end = self.words.get(DONE)
        return market_date(end.at_ns) if end is not None else None

    @property
    def told(self) -> PlanStatus:
        plan, words = self.plan, tuple(self.words.values())
        return PlanStatus(
            plan_id=plan.plan_id, kind=kind_of(plan), strategy=plan.strategy, index=plan.index, running=not self.over,
            body=self.body, words=words, created_ns=plan.created_ns,
        )  # fmt: skip

    @property
    def triggers(self) -> Iterator["Asked"]:
        """What was asked of the broker's triggers, oldest first."""
        asked = [word for key, word in self.words.items() if key.startswith("gtt ") and key.count(" ") == 1]
        for word in asked:
            found = msgspec.json.decode(word.message[word.message.index("{") :], type=Noted)
            yield Asked(self.words, found.asked, frozenset(found.before))


class Noted(msgspec.Struct, frozen=True):
    """What is written down before a trigger is asked for: it, and the ids of triggers like it that wait already."""

    asked: PlaceGtt
    before: tuple[str, ...] = ()


class Asked(msgspec.Struct, frozen=True):
    """A trigger that was asked for, and what was said of it: a broker keeps no tag of one."""

    words: Mapping[str, PlanWord]
    asked: PlaceGtt
    before: frozenset[str]

    @property
    def name(self) -> str:
        return self.asked.name

    @property
    def trigger_id(self) -> str:
        return self.said("is")

    def said(self, what: str) -> str:
        """is: its id; refused; absent: it is not among the broker's; sent: the order it sent; over: nothing follows."""
        word = self.words.get(key(self.name, what))
        return word.message if word is not None else ""


def key(name: str, what: str = "") -> str:
    """Under which a plan says something of a trigger."""
    return f"gtt {name} {what}".rstrip()


def decoded(body: str, now_ns: int) -> Plan:
    """A plan from its JSON, made at `now_ns` if it does not say when; InputError saying what is wrong with it."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, Any])
        plan: Plan = msgspec.convert({**fields, "created_ns": fields.get("created_ns") or now_ns}, Plan)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise InputError(f"this is no plan: {error}; docs/plans.md shows the JSON of each kind") from error
    return plan


def kind_of(plan: Plan) -> str:
    """The word by which its JSON says what it is."""
    return str(type(plan).__struct_config__.tag)
