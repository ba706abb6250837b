"""Every original against every variant of the others, by hash: time, memory and the lowest FPR that
can be seen.

    python benchmarks/exhaustive.py [--originals 10000] [--variants 20]

prints the figures of docs/statistics.md. The hashes are random bits with a bias of their own for
each source; a variant has one bit in twelve of its original turned.
"""

import argparse
import resource
import time

import numpy as np

from simlab import evaluation


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--originals", type=int, default=10_000)
    parser.add_argument("--variants", type=int, default=20)
    arguments = parser.parse_args()
    rng, source = np.random.default_rng(0), np.arange(arguments.originals)
    originals = rng.random((len(source), 64)) < rng.beta(4, 4, (len(source), 1))
    turned = rng.random((len(source) * arguments.variants, 64)) < 1 / 12
    variants = np.repeat(originals, arguments.variants, axis=0) ^ turned
    start, wall = time.process_time(), time.perf_counter()
    table = evaluation.exhaustive_histogram(
        originals, variants, source, np.repeat(source, arguments.variants)
    )
    seconds, wall = time.process_time() - start, time.perf_counter() - wall
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    n = table["n_negative"][0]
    print(f"{n:,} pairs: {seconds:.1f} s of one core ({wall:.1f} s by the clock), {memory:,.0f} MB")
    columns = ["threshold", "n_others", "tpr", "tpr_low", "tpr_high", "fpr", "fpr_low", "fpr_high"]
    print(table.loc[(table["fpr"] > 0) & (table["fpr"] < 1e-2), columns].to_string(index=False))


if __name__ == "__main__":
    main()
