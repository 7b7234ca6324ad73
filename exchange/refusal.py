"""What the exchange refuses, in Kite's words."""


class KiteError(Exception):
    """HTTP status, error_type (kite.md §2) and message of a refusal."""

    def __init__(self, status: int, error_type: str, message: str) -> None:
        super().__init__(status, error_type, message)
        self.status, self.error_type, self.message = status, error_type, message


def bad_input(message: str) -> KiteError:
    return KiteError(400, "InputException", message)


class Gateway(Exception):
    """A fault: something in front of the broker answers with a page of HTML."""
