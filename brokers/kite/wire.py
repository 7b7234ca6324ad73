"""What comes back from Kite, looked at before its client looks: the client reads neither the HTTP status nor the time.

A limit on each byte is no limit on an answer that trickles, and a 500 whose body says success is taken for one.
"""

import io
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

WHOLE_S = 30.0  # for all of a body, once its head is here; the instrument dump of an exchange takes seconds
MOST_BYTES = 64 << 20  # of a body, unpacked; the dump of every exchange has some 15 MB
PART = 1 << 16


class Unreadable(requests.RequestException):
    """An answer that says two things at once, or that does not end. Nothing can be concluded from it."""


class Wire(HTTPAdapter):
    """Reads each body whole, within WHOLE_S and MOST_BYTES, and never asks twice."""

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises what requests raises, and Unreadable."""
        response = super().send(request, *args, **kwargs)
        raw = response.raw
        try:
            response.raw = io.BytesIO(_body(raw))
        except (HTTPError, OSError, ValueError) as error:
            raise requests.exceptions.ChunkedEncodingError(error) from error
        finally:
            raw.close()  # all of it was read, and the connection is another call's, or it is of no more use
        _agrees(response)
        return response


def _body(raw: Any) -> bytes:
    read, until = bytearray(), time.monotonic() + WHOLE_S
    while part := raw.read1(PART, decode_content=True):
        read += part
        if len(read) > MOST_BYTES or time.monotonic() > until:
            raise Unreadable(f"the answer did not end within {WHOLE_S:g} s and {MOST_BYTES} bytes; it had {len(read)}")
    return bytes(read)


def _agrees(response: requests.Response) -> None:
    """Unreadable unless status, Content-Type and envelope say the same: done with data, or refused without."""
    kind, done = response.headers.get("content-type", ""), response.status_code == requests.codes.ok
    if "json" not in kind:
        if "csv" in kind and not done:
            raise Unreadable(f"the answer contradicts itself: HTTP {response.status_code} with data")
        return
    try:
        said = response.json()
    except ValueError:
        return  # the client says so itself
    except RecursionError:
        raise Unreadable("the answer is nested too deeply") from None
    if not isinstance(said, dict):
        return
    word, kind_of_error = said.get("status"), said.get("error_type")
    accepted = word == "success" and done and not kind_of_error
    refused = word == "error" and kind_of_error != "" and not said.get("data")  # without a name the client invents one
    if not (accepted or refused):
        raise Unreadable(f"the answer contradicts itself: HTTP {response.status_code} with status {word!r:.20}")
