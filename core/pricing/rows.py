"""Arguments of any shape and type as the one packed array the kernels take."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pack(*arguments: ArrayLike) -> tuple[NDArray[np.float64], tuple[int, ...]]:
    """Return the broadcast arguments as the rows of a fresh C-ordered float64 array, and their common shape.

    Raises ValueError, numpy's own, for shapes that do not broadcast.
    """
    arrays = [np.asarray(argument, np.float64) for argument in arguments]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    packed = np.empty((len(arrays), *shape))
    for i, array in enumerate(arrays):
        packed[i] = array
    return packed.reshape(len(arrays), -1), shape
