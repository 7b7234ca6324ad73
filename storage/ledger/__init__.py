"""The journal of money in PostgreSQL."""

from storage.ledger.ledger import PostgresLedger
from storage.ledger.migrate import migrate

__all__ = ["PostgresLedger", "migrate"]
