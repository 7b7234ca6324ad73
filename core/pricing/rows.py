"""Arguments of any shape and type as the columns the kernels take, and the kernels' run over all rows."""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numba import config
from numpy.typing import ArrayLike, NDArray

Column = NDArray[np.float64]

PARTS_PER_THREAD = 4  # a core that is disturbed for a moment leaves the rest to the other
ROWS_PER_THREAD = 32_768  # about half a millisecond; to start a thread takes a tenth of one


def columns(*arguments: ArrayLike) -> tuple[list[Column], tuple[int, ...]]:
    """Return each argument as a read-only float64 column, and the common shape of all.

    A column has an entry per element of the shape, or one that stands for all; nothing is copied that need not be.
    Raises ValueError, numpy's own, for shapes that do not broadcast.
    """
    arrays = [np.asarray(argument, np.float64) for argument in arguments]
    shapes = {array.shape for array in arrays if array.shape}
    shape = (shapes.pop() if shapes else ()) if len(shapes) < 2 else np.broadcast_shapes(*shapes)
    return [_column(array, shape) for array in arrays], shape


def _column(array: Column, shape: tuple[int, ...]) -> Column:
    """All of one numba type, whatever came: contiguous, aligned, read-only."""
    whole = array if array.size == 1 or array.shape == shape else np.broadcast_to(array, shape)
    column = whole.reshape(-1)
    if not (column.flags.c_contiguous and column.flags.aligned):
        column = column.copy()
    column.flags.writeable = False
    return column


def run(kernel: Callable[..., None], inputs: list[Column], outputs: list[NDArray[Any]], shape: tuple[int, ...]) -> None:
    """Fill `outputs` by `kernel`, from 65,536 rows on as many threads as numba may use: one in an actor.

    A row's result does not depend on where it stands, so the number of threads changes no bit.
    """
    count = math.prod(shape)
    threads = max(1, min(config.NUMBA_NUM_THREADS, count // ROWS_PER_THREAD))  # type: ignore[attr-defined]
    if threads == 1:
        kernel(*inputs, *outputs, 0, count)
        return
    parts = threads * PARTS_PER_THREAD
    edges = [count * part // parts for part in range(parts + 1)]
    left = iter(list(pairwise(edges)))  # shared: whoever is done with a part takes the next

    def work() -> None:
        for start, stop in left:
            kernel(*inputs, *outputs, start, stop)

    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(work) for _ in range(threads - 1)]
        work()
        for other in others:
            other.result()
