"""A million configurations at once: the totals of the default model over NumPy arrays of sizes.

python benchmarks/million.py
"""

import time

import numpy as np

import shapeviz


def main(count: int = 1_000_000) -> None:
    random = np.random.default_rng(0)
    sizes = {
        "d_model": 64 * random.integers(1, 256, count),
        "N_enc": random.integers(1, 100, count),
        "N_dec": random.integers(1, 100, count),
        "d_ff1": random.integers(1, 65536, count),
    }
    report = shapeviz.measure(shapeviz.read())
    for column, total in report.total.items():
        start = time.perf_counter()
        values = total.at(**sizes)
        seconds = time.perf_counter() - start
        one = {name: int(array[7]) for name, array in sizes.items()}
        assert total.at(**one) == values[7]
        print(f"{column}: {count:,} configurations in {seconds:.2f} s ({values.dtype})")


if __name__ == "__main__":
    main()
