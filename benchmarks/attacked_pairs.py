"""Pairs to fit weights to: attacked pictures beside their own, and beside others."""

import hashlib
from pathlib import Path

import pandas as pd

import simlab as sl
from simlab.search.indexes import BEST

OTHERS = 4  # pictures that were no candidates, to train with


def training_pairs(folder, work, per_picture):
    """Attacked pictures beside their own and the candidates of a search; a few others stand for the
    rest by weight.
    """
    paths, rows = sl.list_images(folder), []
    attacks = sl.perturb.resolve(["attacks58", "standard", "mirror"])
    gallery = sl.Gallery(folder, cache=work / "train.sqlite", n_jobs=1, progress=False)
    for path in paths:
        image = sl.read_image(Path(folder, path))
        for spec in drawn(attacks, path)[:per_picture]:
            found = gallery.query(sl.perturb.apply(image, spec), top=BEST)["file"]
            near = list(dict.fromkeys([path, *found]))
            far = drawn([p for p in paths if p not in near], f"{path} {spec}")
            share = len(far) / OTHERS
            rows += [(p, path, spec, int(p == path), 1.0) for p in near]
            rows += [(p, path, spec, 0, share) for p in far[:OTHERS]]
    pairs = pd.DataFrame(rows, columns=["reference", "query", "perturbation", "label", "weight"])
    return pairs.assign(seed=0, source_reference=pairs["reference"], source_query=pairs["query"])


def shrunk(folder, target, side=640):
    """Lossless copies, large ones scaled down: a wallpaper costs ten times as much, and teaches no
    more.
    """
    for path in sl.list_images(folder):
        image, copy = sl.read_image(Path(folder, path)), (target / path).with_suffix(".png")
        copy.parent.mkdir(parents=True, exist_ok=True)
        image.thumbnail((side, side))
        image.save(copy, compress_level=1)


def drawn(choices, by):
    """The choices in the order of SHA-256 of (by, choice): a draw of its own for every text."""

    def digest(choice):
        return hashlib.sha256(f"{by}\0{choice}".encode("utf-8", "surrogatepass")).digest()

    return sorted(choices, key=digest)
