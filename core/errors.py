"""Every error this desk raises on purpose.

VikalpError
├── ConfigError       a setting, a port or a package is wrong; exit now
├── UnknownName       an index, contract, column or key nobody knows; says what is known
├── UnknownDate       a date no table of the exchange covers; says the table's horizon
├── InputError        a file or a row cannot be used; names the file, the place and the remedy
├── SchemaError       a batch is not of its topic's schema; dropped and counted
├── StaleDataError    older than the limit; not priced, not traded
├── OrderRefused      a limit said no: which, allowed, asked
├── LedgerDown        the ledger cannot be reached; nothing is sent
├── BrokerDown        the broker does not say what it has; asked again
│   └── NotLoggedIn   it does not since nobody is logged in there; somebody must log in
├── LedgerFenced      a newer order manager holds the ledger's epoch; this one must stop
├── ReplayBroken      a replay's feed died: a second life would play the day a second time; start it again
└── DeskError         no desk, a second desk, or a desk that does not answer
"""


class VikalpError(Exception):
    """Base of every deliberate error; anything else is a bug and ends the actor's process."""


class ConfigError(VikalpError):
    """The settings or the machine cannot be used."""


class UnknownName(VikalpError):
    """A name nobody knows."""


class UnknownDate(VikalpError):
    """A date outside the tables of the exchange."""


class InputError(VikalpError):
    """A file or a row that cannot be used."""


class SchemaError(VikalpError):
    """A record batch does not have the schema of its topic."""


class StaleDataError(VikalpError):
    """Inputs older than the limit."""


class OrderRefused(VikalpError):
    """A pre-trade limit refused an order.

    `limit` is the limit's name, `allowed` and `asked` the two numbers in the limit's own unit as text.
    """

    def __init__(self, limit: str, *, allowed: str, asked: str, why: str) -> None:
        super().__init__(limit, allowed, asked, why)
        self.limit, self.allowed, self.asked, self.why = limit, allowed, asked, why

    def __reduce__(self) -> tuple[object, ...]:
        return _order_refused, (self.limit, self.allowed, self.asked, self.why)

    def __str__(self) -> str:
        return f"{self.limit}: {self.why} (asked {self.asked}, allowed {self.allowed})"


def _order_refused(limit: str, allowed: str, asked: str, why: str) -> OrderRefused:
    return OrderRefused(limit, allowed=allowed, asked=asked, why=why)


class LedgerDown(VikalpError):
    """The ledger cannot be reached."""


class BrokerDown(VikalpError):
    """The broker's book cannot be read now."""


class NotLoggedIn(BrokerDown):
    """Nobody is logged in at the broker, or the login is dead: nothing is sent until somebody has logged in."""


class LedgerFenced(VikalpError):
    """Another order manager has taken the ledger's epoch."""


class ReplayBroken(VikalpError):
    """A recorded day is played in one life of its feed or not at all."""


class DeskError(VikalpError):
    """The desk cannot be found, started or reached."""
