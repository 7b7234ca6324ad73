import pickle

from core import errors


def test_a_refusal_survives_the_trip_between_processes() -> None:
    sent = errors.OrderRefused(
        "order size", allowed="10 lots", asked="12 lots", why="more lots than one order may have"
    )

    assert str(pickle.loads(pickle.dumps(sent))) == str(sent)
    assert "asked 12 lots, allowed 10 lots" in str(sent)


def test_the_tree_at_the_top_of_the_file_lists_every_error() -> None:
    assert errors.__doc__
    for name in dir(errors):
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, errors.VikalpError):
            assert name in errors.__doc__
