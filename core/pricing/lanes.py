"""exp, log and erfcx as straight lines of arithmetic, so that a loop over them becomes vector instructions.

The libm calls do not vectorise, and neither does a branch; so there are only polynomials, selects and two tricks with
the exponent bits here. `contract` allows fused multiply-add and nothing else: NaN and infinity keep their meaning.
Coefficients are Chebyshev expansions computed with 40 digits (mpmath), their truncation below 1.3e-16.

numba's cache notices a change of the file a kernel is in, and of no other. So every file of kernels names in BUILT_FROM
the digest of all the files it compiles from, and a test compares: after a change here write what it says there.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba.core import types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., object])

DOUBLE, WORD = ir.DoubleType(), ir.IntType(64)
FUSED = ("contract",)
EXPONENT_AT, BIAS = 52, 1023
ONE_BITS = BIAS << EXPONENT_AT
HALF_AN_OCTAVE = 1 << (EXPONENT_AT - 1)
MANTISSA_52, MANTISSA_52_BITS = float(2**52), (BIAS + 52) << EXPONENT_AT  # an integer or-ed in is 2⁵² + that integer
SHIFTER = 1.5 * 2**52  # adding it leaves the nearest integer in the low bits

SQRT_HALF = math.sqrt(0.5)
INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)
LOG2_E = 1 / math.log(2)
LN2_HIGH, LN2_LOW = float.fromhex("0x1.62e42fefp-1"), 7.440617110012397e-11  # k·LN2_HIGH is exact for |k| < 2²⁰
UNDERFLOW = -708.0  # exp of less is not a normal double

# (exp(r) − 1 − r)/r² on |r| ≤ ln(2)/2, in r
EXP = (
    0.5, 0.1666666666666667, 0.04166666666662063, 0.008333333333325544, 0.0013888888918941191, 0.00019841269876866175,
    2.4801518638753758e-05, 2.7557252831535417e-06, 2.762133974738188e-07, 2.5106275452329115e-08,
)  # fmt: skip
# (2·atanh(z) − 2z)/z³ on |z| ≤ 0.2005, in z²
ATANH = (
    0.6666666666666666, 0.4000000000000815, 0.2857142856718553, 0.22222223062992805, 0.18181736503962367,
    0.15388911740892863, 0.1320885924179399, 0.1361545002256637,
)  # fmt: skip
# (1 + 2z)·erfcx(z) on z ≥ 0, in q = (z − CENTRE)/(z + CENTRE); the form is M. Shepherd and J. Laframboise's,
# Mathematics of Computation 36 (1981) 249–253
CENTRE = 3.75
ERFCX = (
    1.2375126308378275, -0.14024059858554525, 0.0035854154854790257, 0.08227673848999506, -0.10880393014244462,
    0.09230432116428125, -0.05869339857664934, 0.02836227737211114, -0.009746579683265262, 0.0017556261651970652,
    0.000293714378044958, -0.00029015535246077655, 5.164652974177416e-05, 2.2387565714911816e-05,
    -1.1438048033346894e-05, -9.792625707303523e-07, 1.7419821586224816e-06, -5.084465378687302e-08,
    -2.4857126248016745e-07, 1.879082322370048e-08, 3.197926671666804e-08, -1.9551358868985616e-09,
    -2.623107347133476e-09,
)  # fmt: skip


def compiled(function: F) -> F:
    """A kernel: it may run on several threads at once."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})(function))


def compiled_strictly(function: F) -> F:
    """A kernel without fused multiply-adds: a·b − c·c is 0 there where it should be."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))


def inlined(function: F) -> F:
    """A part of a kernel; it never is a call of its own."""
    return cast("F", numba.njit(forceinline=True, error_model="numpy", fastmath={"contract"})(function))


def instructions(function: Callable[..., object]) -> Callable[..., float]:
    """A function of floats that is given as LLVM instructions."""
    return cast("Callable[..., float]", intrinsic(function))


def polynomial(coefficients: tuple[float, ...]) -> Callable[[float], float]:
    """Return the polynomial, lowest power first, as compiled code: the even and the odd powers are two chains."""

    def chain(builder: Any, terms: tuple[float, ...], x: Any) -> Any:
        value = DOUBLE(terms[-1])
        for term in terms[-2::-1]:
            value = builder.fadd(builder.fmul(value, x, flags=FUSED), DOUBLE(term), flags=FUSED)
        return value

    @instructions
    def evaluate(_: Any, x: Any) -> Any:
        def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
            (x,) = arguments
            square = builder.fmul(x, x)
            odd = chain(builder, coefficients[1::2], square)
            even = chain(builder, coefficients[::2], square)
            return builder.fadd(builder.fmul(odd, x, flags=FUSED), even, flags=FUSED)

        return types.float64(x), generate

    return evaluate


exp_tail, atanh_tail, erfcx_scaled = polynomial(EXP), polynomial(ATANH), polynomial(ERFCX)


@instructions
def octaves(_: Any, a: Any, __: Any) -> Any:
    """An integer k, as a float, with a/(b·2ᵏ) within 2^±0.5861, for a and b > 0; 0 where a is near b.

    The bits of a double, read as an integer, are its logarithm to base 2 but for 0.0861 (times 2⁵², shifted).
    """

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        high, low = (builder.bitcast(argument, WORD) for argument in arguments)
        rounded = builder.add(builder.sub(high, low), WORD(ONE_BITS + HALF_AN_OCTAVE))
        holder = builder.or_(builder.lshr(rounded, WORD(EXPONENT_AT)), WORD(MANTISSA_52_BITS))
        return builder.fsub(builder.bitcast(holder, DOUBLE), DOUBLE(MANTISSA_52 + BIAS))

    return types.float64(a, a), generate


@instructions
def power_of_two(_: Any, k: Any) -> Any:
    """2ᵏ for an integer k, −1022…1023, given as a float."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        bits = builder.bitcast(builder.fadd(arguments[0], DOUBLE(SHIFTER)), WORD)
        return builder.bitcast(builder.add(builder.shl(bits, WORD(EXPONENT_AT)), WORD(ONE_BITS)), DOUBLE)

    return types.float64(k), generate


@inlined
def exp_of(v: float) -> float:
    """exp(v) for v ≤ 0; 0 below the normal doubles."""
    kept = max(UNDERFLOW, v)
    k = (kept * LOG2_E + SHIFTER) - SHIFTER
    r = (kept - k * LN2_HIGH) - k * LN2_LOW
    value = (1.0 + (r + r * r * exp_tail(r))) * power_of_two(k)
    return value if v > UNDERFLOW else 0.0


@inlined
def log_ratio(a: float, b: float) -> float:
    """ln(a/b) for a, b > 0, accurate also relative to itself where a is near b."""
    k = octaves(a, b)
    scaled = b * power_of_two(k)
    z = (a - scaled) / (a + scaled)
    square = z * z
    return k * LN2_HIGH + (2.0 * z + (z * square * atanh_tail(square) + k * LN2_LOW))


@inlined
def erfcx_pair(a: float, b: float) -> tuple[float, float]:
    """erfcx(a) and erfcx(b) for a, b ≥ 0, at the price of one division."""
    a_above, a_scale = a + CENTRE, 1.0 + 2.0 * a
    b_above, b_scale = b + CENTRE, 1.0 + 2.0 * b
    a_both, b_both = a_above * a_scale, b_above * b_scale
    share = 1.0 / (a_both * b_both)
    a_share, b_share = share * b_both, share * a_both
    first = erfcx_scaled((a - CENTRE) * a_scale * a_share) * (a_above * a_share)
    second = erfcx_scaled((b - CENTRE) * b_scale * b_share) * (b_above * b_share)
    return first, second


@inlined
def finite(total: float) -> bool:
    """False if a NaN or an infinity went into the sum."""
    return total - total == 0.0
