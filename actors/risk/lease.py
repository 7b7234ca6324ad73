"""Whether risk's word is good for an entry now, and why not."""

from core.errors import LedgerDown
from core.ports import Ledger
from core.risk.book import RiskBook
from core.risk.sound import unsound


def why_no_lease(book: RiskBook, max_age_ms: int, ledger: Ledger) -> str:
    """In words; empty while marks of what is held are fresh, the ledger answers and nobody has said stop."""
    if why := unsound(book, max_age_ms):
        return why
    try:
        standing, switch = ledger.standing(), ledger.kill_switch()
    except LedgerDown as error:
        return f"{error}"
    if switch is not None and switch.pulled:
        return f"the kill switch was pulled by {switch.who}: {switch.why}"
    return f"halted: {standing[1]}" if standing is not None and standing[0] == "HALTED" else ""
