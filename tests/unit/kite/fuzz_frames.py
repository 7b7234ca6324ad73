"""`python -m tests.unit.kite.fuzz_frames N [SEED]`: N malformed frames, none of which may harm the decoder.

Run with NUMBA_DISABLE_JIT=1 it is numpy that reads and writes every number, and a place outside its array raises.
"""

import itertools
import random
import struct
import sys

from core.kite import DTYPES, Decoded, decode, ticks_in

LENGTHS = tuple(DTYPES)


def fuzz(count: int, seed: int) -> dict[str, int]:
    """What became of the packets announced by `count` frames; AssertionError, with the frame, if they do not add up."""
    rng = random.Random(seed)
    totals = dict.fromkeys(("given", "unknown_length", "cut_short", "damaged", "trailing"), 0)
    for _ in range(count):
        frame = _malformed(rng)
        got = decode(frame)
        _check(frame, got)
        totals["given"] += len(got.packets)
        for reason in list(totals)[1:]:
            totals[reason] += getattr(got, reason)
    return totals


def _check(frame: bytes, got: Decoded) -> None:
    announced = struct.unpack(">H", frame[:2])[0] if len(frame) > 1 else 0
    assert len(got.packets) + got.refused == announced, frame.hex()
    assert got.trailing == (not got.damaged and 2 <= _walked(frame) < len(frame)), frame.hex()
    assert set(got.packets.length.tolist()) <= set(LENGTHS), frame.hex()
    assert 0 <= ticks_in(frame, index_only=True) <= ticks_in(frame, index_only=False) <= announced, frame.hex()
    if got.damaged:
        assert len(got.packets) == _before_odd(frame), frame.hex()
    at = 2
    for token, length in zip(got.packets.token.tolist(), got.packets.length.tolist(), strict=True):
        at = _next(frame, at)
        assert frame[at : at + 6] == struct.pack(">HI", length, token), frame.hex()
        at += 2 + length


def _before_odd(frame: bytes) -> int:
    """Packets before the first of a length nobody knows, which there is."""
    at, before = 2, 0
    while (length := struct.unpack_from(">H", frame, at)[0]) in LENGTHS:
        at, before = at + 2 + length, before + 1
    return before


def _next(frame: bytes, at: int) -> int:
    """Where the next packet of a known length begins, odd ones passed over."""
    while (length := struct.unpack_from(">H", frame, at)[0]) not in LENGTHS:
        at += 2 + length
    return at


def _walked(frame: bytes) -> int:
    """Where the last packet announced ends; more than the frame has if it is cut short."""
    if len(frame) < 2:
        return 0
    at = 2
    for _ in range(struct.unpack(">H", frame[:2])[0]):
        if at + 2 > len(frame):
            return len(frame) + 1
        at += 2 + int(struct.unpack_from(">H", frame, at)[0])
    return at


def _malformed(rng: random.Random) -> bytes:
    packets = [rng.randbytes(rng.choice((*LENGTHS, *LENGTHS, rng.randrange(200)))) for _ in range(rng.randrange(6))]
    frame = bytearray(struct.pack(">H", len(packets)))
    for packet in packets:
        frame += struct.pack(">H", len(packet)) + packet
    for change in range(rng.randrange(4)):
        rng.choice((_cut, _grow, _flip, _announce, _lengthen, _noise))(frame, rng, change)
    return bytes(frame)


def _cut(frame: bytearray, rng: random.Random, _: int) -> None:
    del frame[rng.randrange(len(frame) + 1) :]


def _grow(frame: bytearray, rng: random.Random, _: int) -> None:
    frame += rng.randbytes(rng.randrange(1, 200))


def _flip(frame: bytearray, rng: random.Random, _: int) -> None:
    if frame:
        frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)


def _announce(frame: bytearray, rng: random.Random, _: int) -> None:
    frame[:2] = struct.pack(">H", rng.choice((0, 1, 5, 6, 7, 255, 65_535, rng.randrange(65_536))))


def _lengthen(frame: bytearray, rng: random.Random, _: int) -> None:
    """Another length for one of the packets, most often another packet's."""
    places = list(itertools.takewhile(lambda at: at + 2 <= len(frame), _places(frame)))
    if places:
        at = rng.choice(places)
        frame[at : at + 2] = struct.pack(">H", rng.choice((*LENGTHS, 0, 1, 7, 12, 183, 185, 65_535)))


def _places(frame: bytearray) -> "itertools.chain[int]":
    at, places = 2, []
    while at + 2 <= len(frame):
        places.append(at)
        at += 2 + struct.unpack_from(">H", frame, at)[0]
    return itertools.chain(places)


def _noise(frame: bytearray, rng: random.Random, change: int) -> None:
    if change == 0 and rng.random() < 0.2:
        frame[:] = rng.randbytes(rng.randrange(400))


if __name__ == "__main__":
    given = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    print(f"fuzz of the decoder: {given[0]} frames, seed {given[1]}", file=sys.stderr)
    print(fuzz(*given))
