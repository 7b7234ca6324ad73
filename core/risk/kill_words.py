"""What a kill file says: why, by whom, and whether positions are to be closed. A person may write one with an editor.

    fat finger (asha)
    square_off: no

The second line may be missing: then the settings decide. So does a file of before it was written.
"""

from typing import NamedTuple

MOST = 1_000  # characters of a reason
_WISH, _WORDS = "square_off", {"yes": True, "true": True, "no": False, "false": False}


class Said(NamedTuple):
    """`square_off` is None where nobody said."""

    why: str
    who: str
    square_off: bool | None


def written(why: str, who: str, *, square_off: bool) -> str:
    """The text of the file, without its last line's end."""
    return f"{' '.join(why.split())[:MOST]} ({' '.join(who.split())})\n{_WISH}: {'yes' if square_off else 'no'}"


def read(text: str) -> Said:
    """What any text says; by "the kill file" where it names nobody."""
    lines = [line.strip() for line in text.strip().splitlines()]
    wishes = [_wish(line) for line in lines]
    wish = next((said for said in reversed(wishes) if said is not None), None)
    told = (line for line, said in zip(lines, wishes, strict=True) if line and said is None)
    words = " ".join(told) or "no reason given"
    why, _, who = words.removesuffix(")").rpartition(" (")
    named = words.endswith(")") and bool(why.strip()) and bool(who.strip())
    return Said(why if named else words, who if named else "the kill file", wish)


def _wish(line: str) -> bool | None:
    name, colon, said = line.partition(":")
    return _WORDS.get(said.strip().lower()) if colon and name.strip().lower() == _WISH else None
