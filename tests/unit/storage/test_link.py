"""What PostgreSQL says, in the desk's words: a server that fails is a ledger that is away, no bug of the caller."""

import asyncpg
import pytest

from core.errors import ConfigError, InputError, LedgerDown, VikalpError
from storage.link import in_our_words


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        (asyncpg.PostgresIOError("could not fsync file: Input/output error"), LedgerDown),
        (asyncpg.UndefinedFileError("could not open file base/5/16384"), LedgerDown),
        (asyncpg.InternalServerError("could not read block 7"), LedgerDown),
        (asyncpg.DataCorruptedError("invalid page in block 7"), LedgerDown),
        (asyncpg.DiskFullError("No space left on device"), LedgerDown),
        (asyncpg.CannotConnectNowError("the database system is starting up"), LedgerDown),
        (ConnectionResetError(104, "reset"), LedgerDown),
        (asyncpg.UndefinedTableError("no table intents"), ConfigError),
        (asyncpg.NumericValueOutOfRangeError("bigint out of range"), InputError),
    ],
)
def test_it_is_heard_as_what_the_caller_can_act_on(said: Exception, heard: type[VikalpError]) -> None:
    with pytest.raises(heard, match="journalling an intent"), in_our_words("journalling an intent"):
        raise said


def test_a_bug_of_ours_stays_a_bug() -> None:
    with pytest.raises(asyncpg.UniqueViolationError), in_our_words("journalling an intent"):
        raise asyncpg.UniqueViolationError("duplicate key")
