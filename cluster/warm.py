"""`python -m cluster.warm`: put every compiled kernel into numba's cache, so that no actor has to compile one."""

import time

from core import kite, pricing


def main() -> None:
    began = time.perf_counter()
    kernels = [*pricing.warm(), *kite.warm()]
    print(f"{len(kernels)} kernels ready in {time.perf_counter() - began:.2f} s")


if __name__ == "__main__":
    main()
