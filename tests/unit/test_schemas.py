import pyarrow as pa
import pytest

from core import schemas
from core.errors import SchemaError


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_every_field_says_its_unit_and_meaning(name: str) -> None:
    for field in schemas.SCHEMAS[name]:
        assert field.metadata[b"unit"], field.name
        assert len(field.metadata[b"doc"]) > 3, field.name


@pytest.mark.parametrize("name", schemas.SCHEMAS)
def test_the_unit_is_in_the_name(name: str) -> None:
    for field in schemas.SCHEMAS[name]:
        unit = field.metadata[b"unit"].decode()
        assert field.name.endswith("_ns") == (unit == "ns"), field.name
        assert field.name.endswith("_paise") == (unit == "paise"), field.name


def test_check_names_the_first_field_that_differs() -> None:
    with pytest.raises(SchemaError, match=r"ticks\.index: expected string, was symbol string"):
        schemas.check("ticks", pa.record_batch({"symbol": ["NIFTY"]}))


def test_check_returns_a_batch_of_the_right_schema() -> None:
    batch = pa.RecordBatch.from_pylist([], schema=schemas.BARS)

    assert schemas.check("bars", batch) is batch
