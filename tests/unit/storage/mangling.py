"""A mangled file is an InputError if read strictly, else an InputError or good rows beside refused ones."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from core.errors import InputError
from core.file_schemas import FILE_SCHEMAS
from core.schemas import BARS as BAR_SCHEMA
from storage.readers import Read

SCHEMAS = [*FILE_SCHEMAS.values(), BAR_SCHEMA]
MANY = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
PLACE = re.compile(r"(line|row|entry) (of )?\w+.*, column .+: expected .+, found .+; mend it or fetch the file again")


def refused(read: Callable[..., Read], path: Path) -> str:
    """The InputError of a strict reading; the lenient one may not raise anything else, and leaves rows out."""
    with pytest.raises(InputError) as error:
        read(path, strict=True)
    assert str(path) in str(error.value)
    outcome = lenient(read, path)
    assert outcome is None or outcome.refused or outcome.notes
    return str(error.value)


def lenient(read: Callable[..., Read], path: Path) -> Read | None:
    try:
        outcome = read(path)
    except InputError as error:
        assert str(path) in str(error)
        return None
    assert outcome.table.schema in SCHEMAS
    assert outcome.table.num_rows > 0
    assert all(row.file.startswith(str(path)) for row in outcome.refused)
    return outcome
