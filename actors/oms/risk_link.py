"""The order manager's way to risk: what risk could not be told is owed and told later, in order.

Telling twice is harmless (risk counts a trade once), and a risk actor that restarts reads the ledger anyway.
"""

from collections import deque
from collections.abc import Iterable

from core.errors import VikalpError
from core.ports import Risk
from core.records import Fill, Intent, Refusal, Verdict


class RiskLink:
    def __init__(self, risk: Risk) -> None:
        self._risk = risk
        self._owed: deque[Fill | str] = deque()

    def check(self, intent: Intent) -> Verdict:
        """Risk's answer; if it cannot be reached an exit passes and anything else is refused."""
        try:
            self._tell()
            answer = self._risk.check(intent)
        except VikalpError as error:
            if intent.purpose == "exit":
                return Verdict()
            self._owed.append(intent.tag)  # it may have counted the order as working before its answer was lost
            why = f"risk cannot be reached, so only exits pass: {error}"
            return Verdict(refusals=(Refusal(limit="risk", allowed="an answer", asked="none", why=why),))
        # The order manager has already held a true exit against its own positions, which are the ledger's.
        return Verdict() if intent.purpose == "exit" else answer

    def book(self, fill: Fill) -> None:
        """Tell risk of a trade, now or on a later `settle`."""
        self._owed.append(fill)
        self.settle()

    def release(self, tag: str) -> None:
        """Tell risk that an order is over, now or on a later `settle`."""
        self._owed.append(tag)
        self.settle()

    def remind(self, fills: Iterable[Fill], ended: Iterable[str]) -> None:
        """Owe risk all of this: after a restart nobody knows what the last process had still to tell.

        Ends still owed stay: an order that was never journalled is in no list.
        """
        self._owed = deque(news for news in self._owed if isinstance(news, str))
        self._owed.extend(fills)
        self._owed.extend(ended)
        self.settle()

    def settle(self) -> bool:
        """Tell what is owed; False if risk still cannot be reached."""
        try:
            self._tell()
        except VikalpError:
            return False
        return True

    def _tell(self) -> None:
        while self._owed:
            news = self._owed[0]
            if isinstance(news, Fill):
                self._risk.book(news)
            else:
                self._risk.release(news)
            self._owed.popleft()
