import pickle

import pyarrow as pa
import pytest

from cluster.wire import Wire, decode, encode, size_of
from core import schemas
from core.records import Chain


def rows(schema: pa.Schema, count: int) -> pa.RecordBatch:
    values = {pa.string(): "NIFTY", pa.float64(): 1.5, pa.date32(): 20_000}
    columns = []
    for field in schema:
        if pa.types.is_fixed_size_list(field.type):
            columns.append(pa.array([[i, 2, 3, 4, 5] for i in range(count)], field.type))
        else:
            columns.append(pa.array([values.get(field.type, i % 100) for i in range(count)], field.type))
    return pa.record_batch(columns, schema=schema)


@pytest.mark.parametrize("name", schemas.ALL)
def test_a_batch_comes_back_with_its_rows_and_its_schema(name: str) -> None:
    sent = rows(schemas.ALL[name], 7)

    got = decode(pickle.loads(pickle.dumps(encode(sent))))

    assert got.equals(sent)
    assert schemas.check(name, got) is got


def test_a_chain_comes_back_as_a_chain() -> None:
    sent = Chain(contracts=rows(schemas.CONTRACTS, 5), expiries=rows(schemas.EXPIRIES, 2))

    got = decode(encode(sent))

    assert isinstance(got, Chain)
    assert got.contracts.equals(sent.contracts)
    assert got.expiries.equals(sent.expiries)


def test_a_slice_travels_as_just_its_rows() -> None:
    whole = rows(schemas.TICKS, 1000)

    wire = encode(whole.slice(500, 10))

    assert isinstance(wire, Wire)
    assert size_of(wire) < size_of(encode(whole)) / 20
    assert decode(wire).equals(whole.slice(500, 10))


def test_an_unknown_schema_travels_as_it_is_so_that_the_receiver_can_refuse_it() -> None:
    odd = pa.record_batch({"symbol": ["NIFTY"]})

    assert encode(odd) is odd
    assert decode(odd) is odd
