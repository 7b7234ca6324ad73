import pyarrow as pa
import pytest

from core import file_schemas, schemas
from core.errors import SchemaError

ALL = {**schemas.ALL, **file_schemas.FILE_SCHEMAS}


@pytest.mark.parametrize("name", ALL)
def test_every_field_says_its_unit_and_meaning(name: str) -> None:
    for field in ALL[name]:
        assert field.metadata[b"unit"], field.name
        assert len(field.metadata[b"doc"]) > 3, field.name


@pytest.mark.parametrize("name", ALL)
def test_the_unit_is_in_the_name(name: str) -> None:
    for field in ALL[name]:
        unit = field.metadata[b"unit"].decode()
        assert field.name.endswith("_ns") == (unit == "ns"), field.name
        assert field.name.endswith("_paise") == (unit == "paise"), field.name
        assert field.name.endswith("_crore") == (unit == "crore"), field.name


def test_check_names_the_first_field_that_differs() -> None:
    with pytest.raises(SchemaError, match=r"ticks\.index: expected string, was symbol string"):
        schemas.check("ticks", pa.record_batch({"symbol": ["NIFTY"]}))


def test_check_returns_a_batch_of_the_right_schema() -> None:
    batch = pa.RecordBatch.from_pylist([], schema=schemas.BARS)

    assert schemas.check("bars", batch) is batch
