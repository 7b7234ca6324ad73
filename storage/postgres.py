"""The desk's own PostgreSQL: made, started, adopted, stopped.

The server is a direct child in a session of its own, so that its death is seen and it can be started again at once,
and a Ctrl-C meant for the desk does not reach it. It listens on a Unix socket in a private folder.
"""

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from core.errors import ConfigError
from storage.link import AWAY, Link
from storage.programs import RunAs, find_binaries, reachable, run_as

__all__ = ["PostgresServer", "find_binaries", "require_answer"]

SUPERUSER = "vikalp"
LONGEST_SOCKET = 103  # bytes of a Unix socket's path on every system we run on
POLL_S = 0.02
OURS = "VIKALP_"  # environment that is no business of the server's, a passphrase among it
# What a server says that was started while the children of a killed one were still leaving.
LEAVING = ("still in use", "is another postmaster")


class PostgresServer:
    """One PostgreSQL on one data folder. `start()` again after a crash; what was committed is there.

    `data_dir` is made on the first start (its password file and log lie beside it), `run_dir` holds the socket
    (mode 700; keep its path short), `port` names the socket and, with `listen=True`, the loopback TCP port.
    `binaries` overrides the search for the programs, `user` whom root runs it as.
    Errors are ConfigError and hold the last lines of the server's log.
    """

    def __init__(
        self,
        data_dir: str | Path,
        run_dir: str | Path,
        port: int,
        *,
        binaries: str | Path = "",
        user: str = "",
        listen: bool = False,
        start_s: float = 20.0,
        stop_s: float = 10.0,
    ) -> None:
        self._data, self._run, self._port = Path(data_dir).absolute(), Path(run_dir).absolute(), port
        self._setting, self._user, self._listen = binaries, user, listen
        self._start_s, self._stop_s = start_s, stop_s
        self._password_file = self._data.with_name(f"{self._data.name}.password")
        self._log = self._data.with_name(f"{self._data.name}.log")
        self._child: subprocess.Popen[bytes] | None = None
        self._adopted: psutil.Process | None = None

    @property
    def dsn(self) -> str:
        """The superuser's address: keep it out of logs and actors. ConfigError before the first start."""
        if not self._password_file.exists():
            raise ConfigError(f"{self._password_file} is missing: start the server once, or restore it with the data")
        return self._address(SUPERUSER, self._password_file)

    def dsn_of(self, role: str) -> str:
        """Address of an ordinary role; its password is made at the first call and lies beside the superuser's."""
        file = self._data.with_name(f"{self._data.name}.{role}.password")
        if not file.exists():
            _keep_password(file)
        return self._address(role, file)

    def _address(self, role: str, file: Path) -> str:
        password = quote(file.read_text().strip(), safe="")
        return f"postgresql://{role}:{password}@/postgres?host={quote(str(self._run), safe='/')}&port={self._port}"

    @property
    def pid(self) -> int:
        """Of the postmaster; 0 while there is none."""
        if self._child is not None:
            return self._child.pid if self._child.poll() is None else 0
        return self._adopted.pid if self._adopted is not None and _lives(self._adopted) else 0

    @property
    def alive(self) -> bool:
        return self.pid != 0

    def start(self) -> None:
        """Return when SELECT 1 answers: makes the data folder if there is none, adopts a server of ours that runs."""
        deadline = time.monotonic() + self._start_s
        while self.alive:  # or dying: one that was killed this moment still is
            if self._answers():
                return
            if time.monotonic() > deadline:
                raise ConfigError(f"PostgreSQL runs and does not answer; {self._log} says: {self._last_words()}")
            time.sleep(POLL_S)
        if len(os.fsencode(self._run / f".s.PGSQL.{self._port}")) > LONGEST_SOCKET:
            raise ConfigError(
                f"{self._run} is too long for a Unix socket: choose a run folder of at most 85 characters"
            )
        self._adopted = self._running()
        if self._adopted is None:
            self._data.parent.mkdir(parents=True, exist_ok=True)
            who = run_as(self._data, self._user)
            binaries = reachable(find_binaries(self._setting), self._data, who)
            self._initialise(binaries, who)
            self._private_run_dir(who)
            self._spawn(binaries, who)
        else:
            binaries, who = Path(), RunAs(0, 0, switch=False)
        try:
            self._until_it_answers(binaries, who, deadline)
        except BaseException:
            if self._child is not None:
                self.stop()  # what was started here does not outlive a start that failed
            raise

    def _until_it_answers(self, binaries: Path, who: RunAs, deadline: float) -> None:
        while not self._answers():
            if not self.alive and (self._adopted is not None or not self._may_retry()):
                raise ConfigError(f"PostgreSQL ended while starting; {self._log} says: {self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise ConfigError(f"PostgreSQL did not answer within {self._start_s} s: {self._last_words()}")
            if not self.alive:
                self._spawn(binaries, who)
            time.sleep(POLL_S)

    def stop(self) -> None:
        """Fast shutdown (open transactions roll back), then SIGKILL after the deadline. Returns when it has ended."""
        if self._child is not None:
            if self._child.poll() is None:
                self._child.send_signal(signal.SIGINT)
                try:
                    self._child.wait(self._stop_s)
                except subprocess.TimeoutExpired:
                    self._child.kill()
                    self._child.wait()
            self._child = None
        if self._adopted is not None:
            if _lives(self._adopted):
                self._adopted.send_signal(signal.SIGINT)
                if not _ended(self._adopted, self._stop_s):
                    self._adopted.kill()
                    _ended(self._adopted, self._stop_s)
            self._adopted = None

    def _running(self) -> psutil.Process | None:
        """The live postmaster of this very data folder, port and socket, whoever started it."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
            process = psutil.Process(int(lines[0]))
            ours = _lives(process) and process.name() == "postgres" and str(self._data) in process.cmdline()
        except (FileNotFoundError, IndexError, ValueError, psutil.Error):
            return None
        if not ours:
            return None
        if len(lines) > 4 and (lines[3].strip(), lines[4].strip()) != (str(self._port), str(self._run)):
            raise ConfigError(
                f"a PostgreSQL (pid {process.pid}) runs on {self._data}, but on port {lines[3]} in {lines[4]}, not "
                f"{self._port} in {self._run}: stop that one, or start with the same port"
            )
        return process

    def _initialise(self, binaries: Path, who: RunAs) -> None:
        """Initdb aside, then rename: a half-made folder is never taken for a database."""
        if (self._data / "PG_VERSION").exists():
            return
        if self._data.exists() and any(self._data.iterdir()):
            raise ConfigError(f"{self._data} holds files but no database: name an empty folder, or restore the data")
        if not self._password_file.exists():
            _keep_password(self._password_file)
        who.own(self._password_file)
        aside = self._data.with_name(f".{self._data.name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        who.own(aside)
        command = [binaries / "initdb", "-D", aside, "-U", SUPERUSER, "--auth=scram-sha-256", "--data-checksums"]
        command += [f"--pwfile={self._password_file}", "--encoding=UTF8", "--locale=C"]
        done = subprocess.run(command, cwd="/", capture_output=True, check=False, **who.options())  # type: ignore[call-overload]
        if done.returncode:
            raise ConfigError(f"initdb could not make {self._data}: {done.stderr.decode(errors='replace').strip()}")
        if self._data.exists():
            self._data.rmdir()
        aside.rename(self._data)

    def _private_run_dir(self, who: RunAs) -> None:
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self._run.lstat()
        if status.st_uid not in {who.uid, os.geteuid()} or self._run.is_symlink():
            raise ConfigError(f"{self._run} belongs to uid {status.st_uid}: remove it, or choose another run folder")
        self._run.chmod(0o700)
        who.own(self._run)

    def _spawn(self, binaries: Path, who: RunAs) -> None:
        command = [binaries / "postgres", "-D", self._data, "-p", str(self._port)]
        for setting in (
            f"listen_addresses={'127.0.0.1' if self._listen else ''}",
            f"unix_socket_directories={self._run}",
            "shared_buffers=64MB",
            "max_connections=60",
            "timezone=UTC",
            "log_timezone=UTC",
        ):
            command += ["-c", setting]
        with self._log.open("ab") as log:
            self._log.chmod(0o600)
            self._child = subprocess.Popen(  # type: ignore[call-overload]
                command,
                cwd=self._data,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith(OURS)},
                **who.options(),
            )

    def _answers(self) -> bool:
        return self.alive and asyncio.run(_select_one(self.dsn))

    def _may_retry(self) -> bool:
        return any(words in self._last_words() for words in LEAVING)

    def _last_words(self) -> str:
        text = self._log.read_bytes()[-2000:].decode(errors="replace") if self._log.exists() else ""
        return " / ".join(text.splitlines()[-6:]) or "nothing"


def require_answer(dsn: str, timeout_s: float = 5.0) -> None:
    """Ask a server elsewhere for SELECT 1; raises LedgerDown when it does not answer, ConfigError for no address."""
    link = Link(dsn, name="vikalp-asks", timeout_s=timeout_s)
    try:
        link.call("ledger.dsn", lambda connection: connection.fetchval("SELECT 1"))
    except ValueError as error:  # asyncpg's, for a port that is no number
        raise ConfigError(f"ledger.dsn is no address of a PostgreSQL: {error}") from error
    finally:
        link.close()


def _keep_password(file: Path) -> None:
    """A new password, readable by its owner alone."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as written:
        written.write(secrets.token_hex(24) + "\n")


async def _select_one(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=5)
        try:
            return bool(await connection.fetchval("SELECT 1") == 1)
        finally:
            await connection.close()
    except AWAY:  # starting, full or shutting down: its log says which when the deadline comes
        return False


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _ended(process: psutil.Process, within_s: float) -> bool:
    """Whether it has ended; a zombie has, though only its parent may bury it."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not _lives(process):
            return True
        time.sleep(POLL_S)
    return False
