"""What could be added to the default recipe, and whether each earns its cost.

    python benchmarks/additions.py                                        the sample
    python benchmarks/additions.py FOLDER --sources 20 --cache SCRATCH    your own pictures

Methods (phash, correlation, aligned) are fitted with and without each addition to the same hard
copies, and the two are compared out of fold. Those marked * are tried out here and are not in the
package: each is registered in a few lines, as a method of your own would be.
"""

import argparse
import itertools
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from cost import cost_table
from PIL import Image

import simlab as sl
from simlab.methods import alignment, keypoints
from simlab.methods.alignment import Looks
from simlab.methods.keypoints import Keypoints
from simlab.methods.registry import register

RECIPE = ["phash", "correlation", "aligned"]
MIRRORED = ["phash(mirror=True)", "correlation", "aligned"]
HARD = [
    "resize(scale=0.4)",
    "shear(degrees=30)",
    "perspective",
    "crop(side=0.6, resize_back=True)",
    "text(length=50)",
    "embed",
    "mirror",
    "mirror+crop(area=0.25)",
    "shear(degrees=20)+crop(area=0.25)",
    "embed+text(length=50)",
    "resize(scale=0.4)+crop(area=0.25)",
    "rotate(degrees=20)+text(length=50)",
]
FIRST = {
    "mirrored phash": MIRRORED,
    "mirrored phash and aligned": ["phash(mirror=True)", "correlation", "aligned(mirror=True)"],
}
THEN = {
    "three more hashes": ["dhash", "average_hash", "whash"],
    "hashes of centres*": ["centres"],
    "hashes of regions*": ["regions"],
    "hashes of segments": ["crop_resistant_closest"],
    "AKAZE, mean distance": ["akaze"],
    "AKAZE inliers, affine": ["akaze_inliers"],
    "AKAZE inliers, homography": ['akaze_inliers(model="homography")'],
    "multi-scale AKAZE inliers*": ["multiscale"],
    "affine simulation*": ["tilted"],
    "keypoints outside of text*": ["unlettered"],
}
STEPS = [("small pictures enlarged", ["phash", "correlation", "aligned(enlarge=0)"], RECIPE)]
STEPS += [(name, RECIPE, methods) for name, methods in FIRST.items()]
STEPS += [(name, MIRRORED, [*MIRRORED, *more]) for name, more in THEN.items()]
METRIC = "tpr@fpr=0.01"


def main():
    options = _options()
    _register()
    images = sl.datasets.as_table(options.folder) if options.folder else sl.datasets.load_sample()
    images = sl.datasets.sample_sources(images, options.sources, seed=1)
    methods = list(dict.fromkeys(itertools.chain(*(base + methods for _, base, methods in STEPS))))
    pairs = sl.make_pairs(images, HARD, negatives=options.negatives, seed=1)
    scores = sl.score_pairs(
        pairs, methods, cache=options.cache, n_jobs=options.jobs, progress=False
    )
    print(
        f"{len(images)} pictures, {int(pairs['label'].sum()):,} copies, "
        f"{options.negatives:,} other pairs\n"
    )
    print(alone(scores, methods).round(3).to_string(index=False), "\n", flush=True)
    looked = [sl.read_image(Path(pairs.attrs["root"], path)) for path in images["path"][:4]]
    print(additions(scores, looked).round(4).to_string(index=False))


def alone(scores, methods):
    """Recall of each method by itself, by attack."""
    table = sl.evaluate(scores, methods, by="perturbation", metrics=[METRIC], n_resamples=0)
    return table.pivot_table(
        index="method", columns="group", values="value", sort=False
    ).reset_index()


def additions(scores, images):
    """What the methods gain by each addition, out of fold, and what it costs on top."""
    bases, rows = {tuple(base): sl.Ensemble(base).fit(scores) for _, base, _ in STEPS}, []
    for name, base, methods in STEPS:
        ensemble = sl.Ensemble(methods).fit(scores)
        both = bases[tuple(base)].out_of_fold_.assign(added=ensemble.out_of_fold_["ensemble"])
        row = {"addition": name}
        for metric in (METRIC, "tpr@fpr=0.001"):
            found = sl.compare(both, "added", "ensemble", metric=metric).iloc[0]
            row |= {
                metric: found["a"],
                **{f"{key}@{metric[8:]}": found[key] for key in ("difference", "low", "high")},
            }
        more = [method for method in methods if method not in base]
        rows.append(
            row
            | cost_table(images, {name: more}, known=base).drop(columns="method").iloc[0].to_dict()
        )
    return pd.DataFrame(rows)


def _register():
    options = {"maximum": 1.0, "restore": Looks._make, "symmetric": False}
    register("tilted", tilted_looks, distance=alignment.aligned_distance, **options)
    register("unlettered", unlettered_looks, distance=alignment.aligned_distance, **options)
    register("multiscale", alignment.looks, distance=looks_inliers, feature="looks", **options)
    for function in (centres, regions):
        register(function.__name__, function, distance=nearest_part, maximum=64, grey=True)


def centres(image):
    """phash of the whole and of the middle .8, .6 and .4 of each side: bool (4, 64)."""
    boxes = [
        [(1 - share) / 2, (1 - share) / 2, (1 + share) / 2, (1 + share) / 2]
        for share in (1, 0.8, 0.6, 0.4)
    ]
    return _hashes(image, boxes)


def regions(image):
    """phash of the whole, and of nine overlapping windows of half its sides: bool (10, 64)."""
    starts = (0, 0.25, 0.5)
    return _hashes(
        image, [[0, 0, 1, 1], *([x, y, x + 0.5, y + 0.5] for x in starts for y in starts)]
    )


def _hashes(image, boxes):
    sides = np.array(2 * image.size)
    return np.array(
        [sl.hashes.phash(image.crop(tuple((sides * box).round().astype(int)))) for box in boxes]
    )


def nearest_part(a, b):
    """The least distance of the whole of one to any part of the other."""
    return float(min((a[0] != b).sum(axis=1).min(), (b[0] != a).sum(axis=1).min()))


def looks_inliers(a, b):
    """Support of an affine transform among the keypoints of both scales."""
    return keypoints.inlier_distance(Keypoints(*a[:4]), Keypoints(*b[:4]))


def tilted_looks(image):
    """The two looks, and four more at the picture squeezed to .6 of its width or height, upright
    and turned by 45°.

    Source: J.-M. Morel, G. Yu, "ASIFT: a new framework for fully affine invariant image
    comparison", 2009.
    """
    looks = alignment.looks(image)
    return _more(
        looks, [_view(image, turn, squeeze) for turn in (0, 45) for squeeze in ((0.6, 1), (1, 0.6))]
    )


def _view(image, turn, squeeze):
    """Keypoints of the picture turned, then squeezed, in its own pixels."""
    width, height = image.size
    turned = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
    matrix = np.diag([*squeeze, 1]) @ np.vstack([turned, [0, 0, 1]])
    corners = (
        np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ matrix[:2].T
    )
    matrix[:2, 2] -= corners.min(axis=0)
    size = tuple(np.ceil(np.ptp(corners, axis=0)).astype(int))
    view = cv2.warpAffine(np.asarray(image), matrix[:2], size, borderMode=cv2.BORDER_REPLICATE)
    detector = keypoints.akaze_detector(0.0001, max_points=400)
    found = keypoints.detect(Image.fromarray(view), detector, 800)
    back = np.linalg.inv(matrix)
    points = (np.column_stack([found.points, np.ones(len(found.points))]) @ back[:2].T).astype(
        np.float32
    )
    inside = ((points >= 0) & (points <= image.size)).all(axis=1)
    return Keypoints(*(column[inside] for column in found._replace(points=points)))


def _more(looks, views):
    columns = zip(looks[:4], *(view for view in views))
    return Looks(*(np.concatenate(column) for column in columns), looks.grey, looks.scale)


def unlettered_looks(image):
    """The two looks without the keypoints on what seems to be lettering."""
    looks = alignment.looks(image)
    x, y = np.minimum(looks.points.astype(int), np.array(image.size) - 1).T
    clear = ~_lettering(np.asarray(image.convert("L")))[y, x]
    return Looks(*(column[clear] for column in looks[:4]), looks.grey, looks.scale)


def _lettering(grey):
    """Where strong edges lie so dense that they close to wide, well filled blocks, as lines of text
    do: bool (h, w).
    """
    edges = cv2.morphologyEx(
        grey, cv2.MORPH_GRADIENT, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    )
    strong = (edges > 100).astype(np.uint8)
    lines = cv2.morphologyEx(
        strong, cv2.MORPH_CLOSE, np.ones((3, max(9, grey.shape[1] // 25)), np.uint8)
    )
    n, places, boxes, _ = cv2.connectedComponentsWithStats(lines)
    found = np.zeros(grey.shape, np.uint8)
    for number in range(1, n):
        _, _, width, height, area = boxes[number]
        if width > 2 * height and 8 <= height <= grey.shape[0] / 4 and area > 0.5 * width * height:
            found[places == number] = 1
    return cv2.dilate(found, np.ones((9, 9), np.uint8)).astype(bool)


def _options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "folder", nargs="?", help="pictures, no two of the same thing; the sample by default"
    )
    parser.add_argument("--sources", type=int, default=40)
    parser.add_argument("--negatives", type=int, default=2500)
    parser.add_argument("--cache")
    parser.add_argument("--jobs", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
