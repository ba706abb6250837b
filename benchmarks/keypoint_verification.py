"""How to turn matches of keypoints into a distance: which model, ratio and formula tell copies
best.

    python benchmarks/keypoint_verification.py FOLDER --sources 60

Prints the true positive rate at FPR 1e-2 and 1e-3 over all copies, with as many negatives as
--negatives says (original against variant of another source), and the mean time of a pair. AKAZE,
default limits.
"""

import argparse
import time
from pathlib import Path

import cv2
import numpy as np

import simlab as sl
from simlab.methods import keypoints
from simlab.methods.keypoints import Keypoints

PERTURBATIONS = [
    "crop(area=0.5)",
    "crop(area=0.2)",
    "rotate(degrees=10)",
    "rotate(degrees=45)",
    "text(length=20)",
    "text(length=50)",
    "recompress(quality=10)",
    "resize(scale=0.4)",
    "perspective(amount=0.4)",
    "shear(degrees=20)",
]
ESTIMATORS = {
    "affine": lambda a, b, reach: cv2.estimateAffine2D(
        b, a, method=cv2.RANSAC, ransacReprojThreshold=reach
    ),
    "similarity": lambda a, b, reach: cv2.estimateAffinePartial2D(
        b, a, method=cv2.RANSAC, ransacReprojThreshold=reach
    ),
    "homography": lambda a, b, reach: cv2.findHomography(b, a, cv2.RANSAC, reach),
    "MAGSAC homography": lambda a, b, reach: cv2.findHomography(b, a, cv2.USAC_MAGSAC, reach),
}
SIZES = {"affine": 3, "similarity": 2, "homography": 4, "MAGSAC homography": 4}
FORMULAS = {
    "inliers": lambda n, m, least, size: n,
    "inliers / smaller set": lambda n, m, least, size: n / np.maximum(1, least),
    "inliers / matches": lambda n, m, least, size: n / np.maximum(1, m),
    "support": lambda n, m, least, size: n * np.maximum(0, n - size) / np.maximum(1, m),
}
TRIALS = [(name, ratio) for name in ESTIMATORS for ratio in (0.75, 0.85)] + [
    ("affine", 0.8),
    ("affine", 0.9),
]


def main() -> None:
    """Print one row for each estimator, ratio and formula."""
    options = _options()
    cv2.setNumThreads(1)
    images = sl.datasets.sample_sources(sl.datasets.as_table(options.folder), options.sources)
    pairs = sl.make_pairs(images, PERTURBATIONS, negatives=options.negatives)
    found = _extract(pairs)
    copies = pairs["label"].to_numpy() == 1
    print(
        "| estimator | ratio | formula | FPR 1e-2 | FPR 1e-3 | ms a pair |\n"
        "|---|--:|---|--:|--:|--:|"
    )
    for name, ratio in TRIALS:
        start = time.process_time()
        counts = np.array(
            [_counts(found[r, ""], found[q, p], name, ratio) for r, q, p in _keys(pairs)]
        ).T
        cost = 1e3 * (time.process_time() - start) / len(pairs)
        for formula, score in FORMULAS.items():
            values = score(*counts, SIZES[name])
            rates = " | ".join(
                f"{_rate(values[copies], values[~copies], fpr):.3f}" for fpr in (0.01, 0.001)
            )
            print(f"| {name} | {ratio} | {formula} | {rates} | {cost:.1f} |", flush=True)


def _keys(pairs):
    return zip(pairs["reference"], pairs["query"], pairs["perturbation"])


def _extract(pairs) -> dict[tuple[str, str], Keypoints]:
    found, images = {}, {}
    for path in pairs["reference"].unique():
        images[path] = sl.read_image(Path(pairs.attrs["root"], path))
        found[path, ""] = keypoints.akaze(images[path])
    for _, path, spec in _keys(pairs):
        if (path, spec) not in found:
            found[path, spec] = keypoints.akaze(sl.perturb.apply(images[path], spec))
    return found


def _counts(a: Keypoints, b: Keypoints, name: str, ratio: float) -> tuple[int, int, int]:
    """Inliers, matches, and keypoints of the side that has fewer."""
    left, right = keypoints.ratio_matches(a, b, ratio)
    n, least = 0, min(len(a.points), len(b.points))
    if len(left) >= 4:
        reach = max(2.0, 0.01 * float(np.ptp(a.points, axis=0).max()))
        matrix, mask = ESTIMATORS[name](a.points[left], b.points[right], reach)
        plausible = matrix is not None and 1 / 400 < np.linalg.det(matrix[:2, :2]) < 400
        n = int(mask.sum()) if plausible else 0
    return n, len(left), least


def _rate(positives: np.ndarray, negatives: np.ndarray, fpr: float) -> float:
    """Share of copies above the highest threshold that lets at most `fpr` of the others through."""
    limit = np.sort(negatives)[::-1][int(fpr * len(negatives))]
    return float((positives > limit).mean())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder")
    parser.add_argument("--sources", type=int, default=60)
    parser.add_argument("--negatives", type=int, default=3000)
    return parser.parse_args()


if __name__ == "__main__":
    main()
