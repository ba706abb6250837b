"""Whether a background helps vectors: three descriptors, plain and whitened, on hard copies.

    python benchmarks/background.py PICTURES [--sources 100] [--background 200] [--cache SCRATCH]

The sources are attacked in ten ways, and every copy is scored against 20 sources that are not its
own. The background are other pictures of the folder. HOG and coarse colours are registered here as
a method of your own would be.
"""

import argparse

import cv2
import numpy as np
import pandas as pd

import simlab as sl
from simlab.methods.alignment import uncorrelated, uncorrelated_pairs

ATTACKS = [
    "text(length=40)",
    "crop(area=0.3)",
    "crop(area=0.6)",
    "recompress(quality=10)",
    "rotate(degrees=10)",
    "shear(degrees=10)",
    "blur(sigma=4)",
    "contrast(factor=0.4)",
    "embed",
    "overlay",
]
OTHERS = 20


def main():
    options = _options()
    pictures = sl.datasets.from_folder(options.pictures).sample(frac=1, random_state=0)
    sources = pictures.head(options.sources)
    background = pictures.iloc[options.sources :].head(options.background)
    vectors = {"distance": uncorrelated, "maximum": 2.0, "compare_many": uncorrelated_pairs}
    sl.methods.register("hog", hog, grey=True, feature_kind="vector", **vectors)
    sl.methods.register("colours", colours, feature_kind="vector", **vectors)
    methods = []
    for plain in ("hog", "colours", "correlation"):
        sl.methods.whitened(f"{plain}_white", plain, background)
        methods += [plain, f"{plain}_white"]
    pairs = sl.make_pairs(sources, ATTACKS, negatives=OTHERS * len(ATTACKS) * len(sources))
    scores = sl.score_pairs(pairs, methods, cache=options.cache)
    print(f"{int((pairs['label'] == 1).sum()):,} copies, {(pairs['label'] == 0).sum():,} others")
    for metric in ("tpr@fpr=0.01", "tpr@fpr=0.001"):
        rows = [
            sl.evaluation.compare(scores, white, plain, metric=metric)
            for plain, white in zip(methods[::2], methods[1::2])
        ]
        print(pd.concat(rows).to_string(index=False))


def hog(image):
    """Histograms of oriented gradients of 64 x 64 pixels (Dalal and Triggs), 1,764 numbers."""
    small = cv2.resize(np.asarray(image), (64, 64), interpolation=cv2.INTER_AREA)
    blocks_and_bins = (64, 64), (16, 16), (8, 8), (8, 8), 9
    return cv2.HOGDescriptor(*blocks_and_bins).compute(small).ravel()


def colours(image):
    """The colours of 8 x 8 places, less their mean."""
    small = cv2.resize(np.asarray(image), (8, 8), interpolation=cv2.INTER_AREA)
    return small.ravel() - np.float32(small.mean())


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("pictures")
    parser.add_argument("--sources", type=int, default=100)
    parser.add_argument("--background", type=int, default=200)
    parser.add_argument("--cache")
    return parser.parse_args()


if __name__ == "__main__":
    main()
