"""What the file of secrets keeps, and from whom."""

import base64
import hashlib
import json
import os
import pickle
import signal
import stat
import string
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import ConfigError, InputError
from storage.secrets import ITERATIONS, Keyring, Lock, Passphrase, Secrets, kind_at

ROOT = Path(__file__).parents[3]
GOOD = Passphrase("correct horse")
tokens = st.text(string.ascii_letters + string.digits, min_size=24, max_size=40)
passphrases = st.text(min_size=8, max_size=30)
within = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Record:
    name: str
    token: str = field(repr=False)
    at_ns: int = 0


def store(folder: Path, lock: Lock = GOOD) -> Secrets[Record]:
    return Secrets(folder / "kite.login", lock, Record, iterations=3)


@within
@given(st.builds(Record, name=st.text(), token=tokens, at_ns=st.integers(0, 2**62)), passphrases)
def test_what_is_saved_is_loaded_and_is_nowhere_in_the_file(tmp_path: Path, record: Record, words: str) -> None:
    store(tmp_path, Passphrase(words)).save(record)

    assert store(tmp_path, Passphrase(words)).load() == record
    (file,) = tmp_path.iterdir()
    written, secret = file.read_bytes(), record.token.encode()
    for form in (secret, secret.hex().encode(), *(base64.b64encode(secret[cut:])[:24] for cut in range(3))):
        assert form not in written


@within
@given(passphrases, passphrases)
def test_another_passphrase_opens_nothing(tmp_path: Path, words: str, other: str) -> None:
    store(tmp_path, Passphrase(words)).save(Record("a", "t" * 32))
    reader = store(tmp_path, Passphrase(other))
    if Passphrase(words).key(b"s", 1, new=False) == Passphrase(other).key(b"s", 1, new=False):
        assert reader.load() == Record("a", "t" * 32)
        return
    with pytest.raises(InputError, match=r"wrong passphrase.*try again, or remove the file"):
        reader.load()


@within
@given(st.data())
def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, data: st.DataObject) -> None:
    saved = Record("a", "t" * 32)
    secrets = store(tmp_path)
    secrets.save(saved)
    whole = secrets.path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.binary(max_size=2))
    secrets.path.write_bytes(whole[:place] + byte + (whole[place + 1 :] if data.draw(st.booleans()) else b""))
    try:
        found = secrets.load()
    except InputError as error:
        assert "is damaged" in str(error)
        assert "remove it and log in anew" in str(error)
    else:
        assert found == saved
        assert json.loads(secrets.path.read_bytes()) == json.loads(whole), "white space alone was changed"


def test_a_digest_made_to_fit_does_not_make_a_forged_file_open(tmp_path: Path) -> None:
    """The digest tells damage from a wrong key; it is Fernet's own signature that keeps forgers out."""
    from storage.secrets import _Envelope  # noqa: PLC0415 the file as a forger would write it

    secrets = store(tmp_path)
    secrets.save(Record("a", "t" * 32))
    fields = json.loads(secrets.path.read_bytes()) | {"digest": "", "iterations": 4}
    fields["digest"] = _Envelope(**fields).sum()
    secrets.path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match="wrong passphrase"):
        secrets.load()


def test_the_key_is_pbkdf2_with_as_many_rounds_as_owasp_asks(tmp_path: Path) -> None:
    """Opened here with another implementation of the derivation."""
    Secrets(tmp_path / "x", GOOD, Record).save(Record("a", "t" * 32))
    fields = json.loads((tmp_path / "x").read_bytes())

    assert fields["iterations"] == ITERATIONS >= 600_000
    salt = bytes.fromhex(fields["salt"])
    key = hashlib.pbkdf2_hmac("sha256", b"correct horse", salt, fields["iterations"], 32)
    assert json.loads(Fernet(base64.urlsafe_b64encode(key)).decrypt(fields["body"]))["token"] == "t" * 32


def test_each_file_has_a_salt_of_its_own(tmp_path: Path) -> None:
    secrets, salts = store(tmp_path), set()
    for _ in range(5):
        secrets.save(Record("a", "t" * 32))
        salts.add(json.loads(secrets.path.read_bytes())["salt"])
    assert len(salts) == 5


def test_the_same_words_from_another_keyboard_open_it(tmp_path: Path) -> None:
    store(tmp_path, Passphrase("caf\u00e9 caf\u00e9")).save(Record("a", "t" * 32))
    assert store(tmp_path, Passphrase("cafe\u0301 cafe\u0301")).load() == Record("a", "t" * 32)


def test_the_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "new" / "x", GOOD, Record, iterations=3)
    before = os.umask(0)
    try:
        secrets.save(Record("a", "t" * 32))
    finally:
        os.umask(before)
    assert stat.S_IMODE(secrets.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.path.parent.stat().st_mode) == 0o700


DIES = """
import os, signal, sys
from pathlib import Path
from tests.unit.storage.test_secrets import GOOD, Record, store
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
store(Path(sys.argv[1])).save(Record("new", "n" * 32))
"""


def test_a_writer_killed_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    secrets = store(tmp_path)
    secrets.save(Record("old", "o" * 32))
    ended = subprocess.run([sys.executable, "-c", DIES, str(tmp_path)], cwd=ROOT, check=False, timeout=60)

    assert ended.returncode == -signal.SIGKILL
    assert secrets.load() == Record("old", "o" * 32)
    assert len(list(tmp_path.iterdir())) == 2, "what it wrote is left beside"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())
    secrets.remove()
    assert list(tmp_path.iterdir()) == []
    assert secrets.load() is None


def test_a_short_passphrase_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="7 characters: take 8"):
        store(tmp_path, Passphrase("seven77")).save(Record("a", "t" * 32))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_refuses_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    secrets = Secrets(tmp_path / "file" / "x", GOOD, Record, iterations=3)
    with pytest.raises(ConfigError, match="cannot be written"):
        secrets.save(Record("a", "t" * 32))


def test_a_record_of_another_version_is_said_without_its_values(tmp_path: Path) -> None:
    @dataclass(frozen=True)
    class Older:
        token: list[str]

    Secrets(tmp_path / "kite.login", GOOD, Older, iterations=3).save(Older(["t" * 32]))
    with pytest.raises(InputError, match="another version") as caught:
        store(tmp_path).load()
    assert "t" * 32 not in str(caught.value)


def test_no_repr_shows_a_secret_and_a_lock_travels(tmp_path: Path) -> None:
    secrets = store(tmp_path)
    secrets.save(Record("a", "t" * 32))
    assert "horse" not in f"{GOOD!r} {secrets!r} {vars(secrets)!r}"
    assert pickle.loads(pickle.dumps(secrets)).load() == Record("a", "t" * 32)


KEYRING = """
from keyring import errors
kept = {}
refuses = False
def get_password(service, account):
    if refuses:
        raise errors.KeyringError("locked")
    return kept.get((service, account))
def set_password(service, account, password):
    kept[service, account] = password
"""


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package keyring, as small as it can be: the real one is not in the lock."""
    package = tmp_path / "site" / "keyring"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(KEYRING)
    (package / "errors.py").write_text("class KeyringError(Exception):\n    pass\n")
    for name in ("keyring", "keyring.errors"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    return tmp_path / "kept"


def test_a_keyrings_key_opens_the_file_and_without_it_nothing_does(ring: Path) -> None:
    secrets = store(ring, Keyring("me"))
    secrets.save(Record("a", "t" * 32))
    first = secrets.path.read_bytes()
    secrets.save(Record("b", "t" * 32))

    assert kind_at(secrets.path) == "keyring"
    assert secrets.load() == Record("b", "t" * 32)
    secrets.path.write_bytes(first)
    assert secrets.load() == Record("a", "t" * 32), "the keyring's key stays the same"
    with pytest.raises(InputError, match="no key for you"):
        store(ring, Keyring("you")).load()
    with pytest.raises(InputError, match="encrypted with a keyring"):
        store(ring).load()
    sys.modules["keyring"].refuses = True  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match="unlock it, or use a passphrase"):
        secrets.load()


def test_without_the_package_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.delitem(sys.modules, "keyring", raising=False)
    with pytest.raises(ConfigError, match="pip install keyring"):
        store(tmp_path, Keyring("me")).save(Record("a", "t" * 32))
