"""Strict readers of the files that exchanges and the broker publish; docs/data.md tells what each refuses.

Every reader gives a `Read`: the good rows as an Arrow table of core.file_schemas, and beside it the rows it left out,
each with its file, line, column, what was expected and what was found. `strict=True` raises InputError at the first of
them. A file that is no such file at all raises InputError either way.
"""

from storage.readers.bhavcopy import read_old_bhavcopy, read_udiff
from storage.readers.instruments import read_instruments
from storage.readers.refusal import Read, Refused

__all__ = ["Read", "Refused", "read_instruments", "read_old_bhavcopy", "read_udiff"]
