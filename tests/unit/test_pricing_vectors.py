"""The kernels are vector instructions, and the lanes they are made of right to rounding."""

import re

import mpmath as mp
import numba
import numpy as np
import pytest
from llvmlite import binding
from numba.core import types

from core.pricing import kernels, kernels_implied, lanes

COLUMN = types.Array(types.float64, 1, "C", readonly=True)
OUT, CODES = types.Array(types.float64, 1, "C"), types.Array(types.int8, 1, "C")
SHARE = (types.int64, types.int64)
HOST = dict(binding.get_host_cpu_features())
PACKED = re.compile(r"vfn?m\w+pd\s.*[yz]mm")
PACKED_DIVISION = re.compile(r"vdivpd\s.*[yz]mm")


@pytest.mark.skipif(
    not (HOST.get("avx2") and HOST.get("fma")),
    reason="this processor has no AVX2 with FMA: the kernels are right here, not fast",
)
@pytest.mark.parametrize(
    ("kernel", "outputs", "multiplications", "divisions"),
    [
        (kernels.price_rows, (OUT,), 60, 3),  # 64, 3
        (kernels.greeks_rows, (OUT,) * 5, 70, 4),  # 77, 4
        (kernels.higher_rows, (OUT,) * 5, 70, 4),  # 82, 4
        (kernels_implied.implied_vol_rows, (OUT, CODES), 90, 13),  # 95 and 13 if its step is not unrolled
    ],
    ids=["price", "greeks", "higher", "implied_vol"],
)
def test_every_loop_of_a_kernel_is_vector_instructions(
    kernel: object, outputs: tuple[object, ...], multiplications: int, divisions: int
) -> None:
    """Fused multiply-adds and divisions over whole registers. A loop that LLVM gives up on has none, and takes 5 times.

    Compiled anew, as the assembly of a cached kernel cannot be read.
    """
    fresh = numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})(kernel.py_func)  # type: ignore[attr-defined]
    fresh.compile((*[COLUMN] * 6, *outputs, *SHARE))
    (assembly,) = fresh.inspect_asm().values()

    assert len(PACKED.findall(assembly)) >= multiplications
    assert len(PACKED_DIVISION.findall(assembly)) >= divisions


@numba.njit(error_model="numpy")
def _values(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    out = np.empty((4, x.size))
    for i in range(x.size):
        out[0, i] = lanes.exp_of(-x[i])
        out[1, i] = lanes.log_ratio(x[i], y[i])
        out[2, i], out[3, i] = lanes.erfcx_pair(x[i], y[i])
    return out


def test_the_lanes_are_exp_log_and_erfcx_to_rounding() -> None:
    rng = np.random.default_rng(8)
    x = np.concatenate([np.exp(rng.uniform(-12, 6.5, 400)), rng.uniform(0, 6, 200), [1.0, 1.0, 0.5]])
    y = np.concatenate(
        [np.exp(rng.uniform(-12, 6.5, 300)), x[300:600] * (1 + rng.normal(0, 1e-6, 300)), [1.0, 2.0, 0.7]]
    )
    found = _values(x, y)
    with mp.workdps(40):
        pairs = [(mp.mpf(float(a)), mp.mpf(float(b))) for a, b in zip(x, y, strict=True)]
        wide = [mp.exp(a * a) * mp.erfc(a) if a < 30 else _far(a) for a, _ in pairs]
        for i, (a, b) in enumerate(pairs):
            argument = max(1.0, float(a))  # exp turns an error of its argument into a relative one
            assert abs(found[0, i] / mp.exp(-a) - 1) < 3e-16 * argument, a
            assert abs(found[1, i] - mp.log(a / b)) <= 4e-16 * abs(mp.log(a / b)), (a, b)
            assert abs(found[2, i] / wide[i] - 1) < 9e-16, a


def _far(z: mp.mpf) -> mp.mpf:
    return mp.nsum(lambda n: (-1) ** n * mp.fac2(2 * n - 1) / (2 * z * z) ** n, [0, 12]) / (z * mp.sqrt(mp.pi))


def test_an_exp_below_the_smallest_double_is_zero() -> None:
    assert _values(np.array([709.0, 1e5]), np.ones(2))[0].tolist() == [0.0, 0.0]
