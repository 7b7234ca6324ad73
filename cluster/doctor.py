"""Can this machine run a desk? Each check is a pure function of what was found, says so, and says what to do."""

import datetime as dt
import importlib.metadata
import os
import platform
import re
import resource
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from cluster.facts import install_facts
from cluster.machine import (
    ask_ledger,
    compiled_elsewhere,
    existing,
    find_postgres,
    patch_of_python,
    synchronised,
    zone_trouble,
)
from cluster.ports import in_use
from cluster.state import ROOT, find_state, home
from core.errors import InputError
from core.market import INDICES, IST
from core.market.facts import WARN_DAYS, Horizon, Today, table_horizons, today

Outcome = Literal["ok", "warn", "fail"]
PYTHON = (3, 11)
DESK_MB, ROOMY_MB = 2_500, 4_000  # a desk takes about 2.5 GB and may take 4
SHM_MB = 512  # Ray's object store, 300 MB by default, and some air
DISK_MB, ROOMY_DISK_MB = 2_000, 10_000  # a day of five indices on tape and its spill
FILES, ROOMY_FILES = 4_096, 65_536  # open files: Ray's own advice is 65536
PROCESSES = 2_048  # threads count: a desk has about 900
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)([^\\]*)")


@dataclass(frozen=True)
class Check:
    """`outcome` fail: the desk will not start; warn: it may be slow or stop one day."""

    name: str
    outcome: Outcome
    found: str
    todo: str = ""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What was found; sizes in MB."""

    python: tuple[int, int, int]
    system: str
    cores: int
    memory_mb: int
    available_mb: int
    disk_mb: int
    shm_mb: int | None  # None: there is no /dev/shm
    desk: int
    desk_runs: bool
    ports: Sequence[str]  # one sentence for each port in use
    pinned: Mapping[str, str]
    installed: Mapping[str, str]
    kernels: int  # compiled kernels in numba's cache
    postgres: str  # folder of its programs; empty if none
    postgres_why: str
    ledger: bool = False  # ledger.dsn names a server elsewhere
    ledger_why: str = ""  # it cannot be used; empty if it can
    zone: str  # why Asia/Kolkata cannot be used; empty if it can
    wall: dt.datetime
    newest_file: dt.datetime  # of the checkout: no clock may be before it
    synchronised: bool | None  # None: the kernel does not say
    facts: int = 0  # files of the user's own facts
    facts_why: str = ""  # one of them cannot be used; empty if all can
    market: Today
    horizons: Sequence[Horizon]  # of the exchanges' tables, the first to end first
    files: int  # soft limits; -1 is none
    processes: int


def examine(machine: Machine) -> list[Check]:
    """Every check, in the order a person would go through them."""
    return [check(machine) for check in CHECKS]


def python(m: Machine) -> Check:
    found = f"{'.'.join(map(str, m.python))} on {m.system}"
    if m.python[:2] < PYTHON:
        return Check("Python", "fail", found, "install Python 3.11 or newer and run `make install` with it")
    return Check("Python", "ok", found)


def cores(m: Machine) -> Check:
    if m.cores < 2:
        return Check("cores", "warn", str(m.cores), "use 2 or more: on one the chains lag behind the ticks")
    return Check("cores", "ok", str(m.cores))


def memory(m: Machine) -> Check:
    found = f"{m.available_mb:,} MB free of {m.memory_mb:,}"
    if m.desk_runs:
        return Check("memory", "ok", f"{found}, desk {m.desk} running")
    if m.available_mb < DESK_MB:
        return Check("memory", "fail", found, f"end other programs: a desk needs {DESK_MB:,} MB, better {ROOMY_MB:,}")
    if m.available_mb < ROOMY_MB:
        return Check("memory", "warn", found, f"enough to start; {ROOMY_MB:,} MB leave room for jobs")
    return Check("memory", "ok", found)


def disk(m: Machine) -> Check:
    found = f"{m.disk_mb:,} MB free where desks keep their files"
    if m.disk_mb < DISK_MB:
        return Check("disk", "fail", found, f"make room ({DISK_MB:,} MB) or point VIKALP_HOME to another disk")
    if m.disk_mb < ROOMY_DISK_MB:
        return Check("disk", "warn", found, "the tape grows by some hundred MB a day; old days may be moved away")
    return Check("disk", "ok", found)


def shared_memory(m: Machine) -> Check:
    if m.shm_mb is None:
        return Check("shared memory", "warn", "there is none", "Ray uses its temporary folder instead: slower")
    if m.shm_mb < SHM_MB:
        todo = f"mount it larger ({SHM_MB} MB; in a container: --shm-size=1g) or set ray.object_store_mb lower"
        return Check("shared memory", "warn", f"{m.shm_mb:,} MB free", todo)
    return Check("shared memory", "ok", f"{m.shm_mb:,} MB free")


def ports(m: Machine) -> Check:
    if m.desk_runs:
        return Check("ports", "ok", f"desk {m.desk} is running and has them")
    if m.ports:
        return Check("ports", "fail", "; ".join(m.ports), f"end that program or take another desk: --desk {m.desk + 1}")
    return Check("ports", "ok", f"all of desk {m.desk} are free")


def packages(m: Machine) -> Check:
    missing = [name for name in m.pinned if name not in m.installed]
    other = [
        f"{name} {m.installed[name]} (pinned {version})"
        for name, version in m.pinned.items()
        if name in m.installed and m.installed[name] != version
    ]
    if not m.pinned:
        return Check("packages", "warn", "requirements.lock was not found", "run `vikalp` from a checkout")
    if missing:
        return Check("packages", "fail", f"missing: {_some(missing)}", "run `make install`")
    if other:
        return Check("packages", "warn", f"other versions: {_some(other)}", "run `make install` for the tested ones")
    return Check("packages", "ok", f"{len(m.pinned)} as in requirements.lock")


def kernels(m: Machine) -> Check:
    if m.kernels == 0:
        return Check("numba cache", "warn", "empty", "run `python -m cluster.warm`: else the first start compiles")
    return Check("numba cache", "ok", f"{m.kernels} compiled kernels")


def postgres(m: Machine) -> Check:
    if m.ledger_why:
        return Check("PostgreSQL", "fail", m.ledger_why, "start that server, or mend ledger.dsn")
    if m.ledger:
        return Check("PostgreSQL", "ok", "the server that ledger.dsn names answers")
    if not m.postgres:
        return Check(
            "PostgreSQL", "fail", m.postgres_why, "run `make install`, or set ledger.dsn to a server elsewhere"
        )
    return Check("PostgreSQL", "ok", m.postgres)


def clock(m: Machine) -> Check:
    found = f"{m.wall:%Y-%m-%d %H:%M:%S %Z}"
    if m.zone:
        return Check("clock", "fail", m.zone, "install the package tzdata (pip) or the system's time zones")
    if m.wall < m.newest_file:
        todo = "set the clock: it is before the newest file of this checkout"
        return Check("clock", "fail", f"{found}, files of {m.newest_file:%Y-%m-%d %H:%M}", todo)
    if m.synchronised is None:
        return Check("clock", "ok", f"{found}; whether it is synchronised cannot be known here")
    if not m.synchronised:
        return Check("clock", "warn", f"{found}, not synchronised", "run a time service (chrony, systemd-timesyncd)")
    return Check("clock", "ok", f"{found}, synchronised")


def facts(m: Machine) -> Check:
    if m.facts_why:
        return Check("facts", "fail", m.facts_why, "without the user's own rows no desk starts; one that runs goes on")
    return Check("facts", "ok", f"{m.facts} imported files" if m.facts else "the tables alone, nothing imported")


def calendar(m: Machine) -> Check:
    found = ", ".join(f"{h.table} to {h.last_day} ({h.days_left} days)" for h in m.horizons)
    ending = [horizon for horizon in m.horizons if horizon.days_left <= WARN_DAYS]
    if ending:
        return Check("calendar", "warn", found, "; ".join(f"{h.table}: {h.todo}" for h in ending))
    return Check("calendar", "ok", found)


def market(m: Machine) -> Check:
    return Check("market", "ok", f"{m.market.session_says}; next expiries: {m.market.expiries_say}")


def limits(m: Machine) -> Check:
    found = f"{_limit(m.files)} open files, {_limit(m.processes)} processes"
    if 0 <= m.files < FILES:
        return Check("limits", "fail", found, f"ulimit -n {ROOMY_FILES} (at least {FILES})")
    if 0 <= m.processes < PROCESSES:
        return Check("limits", "warn", found, f"ulimit -u {PROCESSES * 4}: threads count")
    if 0 <= m.files < ROOMY_FILES:
        return Check("limits", "ok", f"{found}; Ray advises {ROOMY_FILES} for many jobs")
    return Check("limits", "ok", found)


CHECKS: tuple[Callable[[Machine], Check], ...] = (
    python, cores, memory, disk, shared_memory, ports, packages, kernels, postgres, clock, facts, market, calendar,
    limits,
)  # fmt: skip


def read_pins(text: str) -> dict[str, str]:
    """Name (normalised) to version of every line `name==version` that holds on every system."""
    found = {}
    for line in text.splitlines():
        pin = PINNED.match(line)
        if pin and ";" not in pin[3]:
            found[_normal(pin[1])] = pin[2]
    return found


def with_ledger(machine: Machine, dsn: str) -> Machine:
    """Ask the server a desk would use instead of its own; an empty `dsn` is none."""
    return replace(machine, ledger=True, ledger_why=ask_ledger(dsn)) if dsn else machine


def probe(desk: int) -> Machine:
    """Look at this machine. Raises ConfigError for a desk number that cannot be."""
    state = find_state(desk)
    place, why = find_postgres()
    imported, broken = _facts()
    memory_now = psutil.virtual_memory()
    lock, wall = ROOT / "requirements.lock", dt.datetime.now(dt.UTC)
    day = wall.astimezone(IST).date()
    stamp = ROOT / "pyproject.toml"
    return Machine(
        python=(int(platform.python_version_tuple()[0]), int(platform.python_version_tuple()[1]), patch_of_python()),
        system=platform.platform(terse=True),
        cores=len(os.sched_getaffinity(0)),
        memory_mb=memory_now.total // 2**20,
        available_mb=memory_now.available // 2**20,
        disk_mb=shutil.disk_usage(existing(home())).free // 2**20,
        shm_mb=shutil.disk_usage("/dev/shm").free // 2**20 if Path("/dev/shm").is_dir() else None,  # noqa: S108 a mount
        desk=desk,
        desk_runs=state is not None and state.alive,
        ports=in_use(desk),
        pinned=read_pins(lock.read_text()) if lock.is_file() else {},
        installed={_normal(found.name): found.version for found in importlib.metadata.distributions()},
        kernels=len(list((ROOT / "core").rglob("__pycache__/*.nbi"))) + compiled_elsewhere(),
        postgres=place,
        postgres_why=why,
        zone=zone_trouble(),
        wall=wall,
        newest_file=dt.datetime.fromtimestamp(stamp.stat().st_mtime if stamp.is_file() else 0, dt.UTC),
        synchronised=synchronised(),
        facts=imported,
        facts_why=broken,
        market=today("NSE", day, INDICES),
        horizons=table_horizons(day),
        files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        processes=resource.getrlimit(resource.RLIMIT_NPROC)[0],
    )


def _facts() -> tuple[int, str]:
    """How many files of the user's own facts are used, and why none is."""
    try:
        return len(install_facts()), ""
    except InputError as error:
        return 0, str(error)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _limit(value: int) -> str:
    return "no limit on" if value < 0 else f"{value:,}"
