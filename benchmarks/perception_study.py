"""perception's own benchmark, timed: processor seconds from its pictures to recall at a threshold.

    python benchmarks/perception_study.py FOLDER PERTURBATION...

It is run by the Python of an environment that holds perception, with simlab on PYTHONPATH, so that
both change the pictures by the same functions: see bench.py, which has the same study by simlab.
The four hashes and the thresholds are perception's; it writes each variant as a JPEG, which it
reads again for every hash.
"""

import contextlib
import os
import sys
import tempfile
import time
import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from simlab import perturb


def main() -> None:
    """Print the seconds."""
    warnings.simplefilter("ignore")
    folder, *specs = sys.argv[1:]
    from perception import hashers
    from perception.benchmarking import BenchmarkImageDataset

    cv2.setNumThreads(1)
    hashes = {
        "phash": hashers.PHash(),
        "dhash": hashers.DHash(),
        "average_hash": hashers.AverageHash(),
        "whash": hashers.WaveletHash(),
    }
    transforms = {"noop": lambda image: image}
    transforms |= {spec: _transform(spec) for spec in specs}
    paths = sorted(str(path) for path in Path(folder).iterdir())
    with (
        tempfile.TemporaryDirectory() as variants,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        start = time.process_time()
        dataset = BenchmarkImageDataset.from_tuples([(path, "all") for path in paths])
        changed = dataset.transform(transforms, storage_dir=variants)
        changed.compute_hashes(hashes, max_workers=1).compute_threshold_recall()
        seconds = time.process_time() - start
    print(seconds)


def _transform(spec: str):
    chain = perturb.parse(spec)
    return lambda image: np.asarray(chain.apply(Image.fromarray(image)))


if __name__ == "__main__":
    main()
