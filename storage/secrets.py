"""One record of secrets in one file: encrypted, readable by its owner alone, whole or absent after a crash.

Fernet (AES-128-CBC with HMAC-SHA256) under a key that is derived from a passphrase, or that the operating system's
keyring keeps. The key is nowhere on disk.
"""

# Imported where used: asking whether a file is there needs no cryptography.
# ruff: noqa: PLC0415

import base64
import hashlib
import importlib
import importlib.util
import os
import secrets
import tempfile
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from core.errors import ConfigError, InputError

T = TypeVar("T")
Kind = Literal["passphrase", "keyring"]
# OWASP Password Storage Cheat Sheet, PBKDF2-HMAC-SHA256: 600,000 or more.
ITERATIONS = 600_000
MOST_ITERATIONS = 100_000_000  # a file that asks for more is damaged
SALT_BYTES = 16  # NIST SP 800-132 §5.1: at least 128 bits
LEAST_CHARACTERS = 8  # NIST SP 800-63B §5.1.1.1, of a secret that a person chose
VERSION = 1


class Lock(Protocol):
    """Where a file's key comes from. Picklable, so that an actor can be handed one."""

    @property
    def kind(self) -> Kind: ...

    def key(self, salt: bytes, iterations: int, *, new: bool) -> bytes:
        """A Fernet key, 32 bytes in URL-safe base64; `new`: for a file that is being written."""


@dataclass(frozen=True)
class Passphrase:
    """A key by PBKDF2-HMAC-SHA256 of what a person knows."""

    text: str = field(repr=False)
    kind: Kind = "passphrase"

    def key(self, salt: bytes, iterations: int, *, new: bool) -> bytes:
        """Raises ConfigError for a passphrase too short to protect a new file."""
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

        if new and len(self.text) < LEAST_CHARACTERS:
            raise ConfigError(f"the passphrase has {len(self.text)} characters: take {LEAST_CHARACTERS} or more")
        # The same words typed on another keyboard are the same passphrase (NIST SP 800-63B §5.1.1.2).
        words = unicodedata.normalize("NFKC", self.text).encode()
        derived = PBKDF2HMAC(SHA256(), 32, salt, iterations).derive(words)
        return base64.urlsafe_b64encode(derived)


@dataclass(frozen=True)
class Keyring:
    """A random key that the operating system's keyring keeps under `account`; needs the package `keyring`."""

    account: str
    service: str = "vikalp"
    kind: Kind = "keyring"

    def key(self, salt: bytes, iterations: int, *, new: bool) -> bytes:  # noqa: ARG002 random already
        """Raises ConfigError without the package or a keyring that answers, InputError for a key that is gone."""
        ring = _keyring()
        try:
            found = ring.get_password(self.service, self.account)
            if found is None and new:
                from cryptography.fernet import Fernet

                found = Fernet.generate_key().decode()
                ring.set_password(self.service, self.account, found)
        except ring.errors.KeyringError as error:
            why = type(error).__name__
            raise ConfigError(f"the keyring does not answer ({why}): unlock it, or use a passphrase") from None
        if found is None:
            raise InputError(f"the keyring has no key for {self.account}: remove that file and log in anew")
        return str(found).encode()


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file: what finds the key, the encrypted record, and a digest that tells damage from a wrong key."""

    version: int
    lock: Kind
    iterations: int
    salt: str
    body: str
    digest: str = ""

    def sum(self) -> str:
        return hashlib.sha256(msgspec.json.encode(msgspec.structs.replace(self, digest=""))).hexdigest()


class Secrets(Generic[T]):
    """A record of type `T` (a struct or dataclass) at `path` under `lock`.

    A reader finds the old record or the new one, also when the writer was killed. Nothing here is logged.
    """

    def __init__(self, path: Path, lock: Lock, record: type[T], *, iterations: int = ITERATIONS) -> None:
        self.path, self._lock, self._record, self._iterations = path, lock, record, iterations

    def load(self) -> T | None:
        """None without a file. InputError, with the remedy, for a wrong key or a file that is damaged."""
        from cryptography.fernet import Fernet, InvalidToken

        envelope = _read(self.path)
        if envelope is None:
            return None
        if envelope.lock != self._lock.kind:
            raise InputError(f"{self.path} was encrypted with a {envelope.lock}, not a {self._lock.kind}: use that")
        key = self._lock.key(bytes.fromhex(envelope.salt), envelope.iterations, new=False)
        try:
            plain = Fernet(key).decrypt(envelope.body.encode())
        except (InvalidToken, ValueError):  # ValueError: what the keyring has is no key
            raise InputError(
                f"wrong {envelope.lock}: {self.path} does not open; try again, or remove the file and log in anew"
            ) from None
        try:
            return msgspec.json.decode(plain, type=self._record)
        except msgspec.DecodeError:
            raise InputError(f"{self.path} is of another version of Vikalp: remove it and log in anew") from None

    def save(self, record: T) -> None:
        """Replace the file; a fresh salt each time. Raises ConfigError where it cannot be written."""
        from cryptography.fernet import Fernet

        salt = secrets.token_bytes(SALT_BYTES)
        key = self._lock.key(salt, self._iterations, new=True)
        envelope = _Envelope(
            version=VERSION,
            lock=self._lock.kind,
            iterations=self._iterations,
            salt=salt.hex(),
            body=Fernet(key).encrypt(msgspec.json.encode(record)).decode(),
        )
        whole = msgspec.structs.replace(envelope, digest=envelope.sum())
        try:
            _replace(self.path, msgspec.json.format(msgspec.json.encode(whole)) + b"\n")
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from error

    def remove(self) -> None:
        """The file, and what a killed writer left beside it; a key in the keyring stays, for the next file."""
        for path in (self.path, *self.path.parent.glob(f".{self.path.name}.*")):
            path.unlink(missing_ok=True)


def kind_at(path: Path) -> Kind | None:
    """What opens the file at `path`; None without one. InputError for a damaged one."""
    envelope = _read(path)
    return None if envelope is None else envelope.lock


def _read(path: Path) -> _Envelope | None:
    try:
        envelope = msgspec.json.decode(path.read_bytes(), type=_Envelope)
        if envelope.version == VERSION and envelope.digest == envelope.sum():
            _check(envelope)
            return envelope
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}): it is for the user who wrote it") from error
    except (msgspec.DecodeError, ValueError):
        pass
    raise InputError(f"{path} is damaged, or of another version of Vikalp: remove it and log in anew")


def _check(envelope: _Envelope) -> None:
    if len(bytes.fromhex(envelope.salt)) != SALT_BYTES or not 1 <= envelope.iterations <= MOST_ITERATIONS:
        raise ValueError


def _replace(path: Path, content: bytes) -> None:
    """Write aside, mode 600, to the disk, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # makes it for the owner alone
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the rename itself
    finally:
        os.close(folder)


def _keyring() -> Any:
    """The optional package; not in the lock."""
    if importlib.util.find_spec("keyring") is None:
        raise ConfigError("the package keyring is not installed: pip install keyring, or use a passphrase")
    importlib.import_module("keyring.errors")
    return importlib.import_module("keyring")
