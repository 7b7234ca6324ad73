"""Moments of the market: Indian Standard Time, and UTC nanoseconds without a float in between."""

import datetime as dt

IST = dt.timezone(dt.timedelta(hours=5, minutes=30), "IST")  # India has no summer time: an offset is the whole truth
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND_NS = 1_000_000_000


def to_ns(moment: dt.datetime) -> int:
    """UTC nanoseconds of an aware datetime; ValueError for a naive one, which would mean two moments."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone; use datetime(..., tzinfo=IST)")
    passed = moment - _EPOCH
    return (passed.days * 86_400 + passed.seconds) * _SECOND_NS + passed.microseconds * 1_000


def from_ns(ns: int) -> dt.datetime:
    """Aware datetime in IST, whole microseconds (what is below is cut off)."""
    return (_EPOCH + dt.timedelta(microseconds=ns // 1_000)).astimezone(IST)
