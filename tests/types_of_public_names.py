"""What a user's editor knows of the public names; mypy checks it in `make lint`, and it is never
run.
"""

from typing import assert_type

import numpy as np
import pandas as pd
from PIL import Image

import simlab as sl


def a_study(folder: str) -> None:
    pairs = sl.make_pairs(folder, "basic")
    scores = sl.score_pairs(pairs, "phash, dhash", cache="cache.sqlite")
    assert_type(pairs, pd.DataFrame)
    assert_type(scores, pd.DataFrame)
    assert_type(sl.evaluate(scores, "phash"), pd.DataFrame)
    assert_type(sl.compare(scores, "phash", "dhash"), pd.DataFrame)
    assert_type(sl.choose_threshold(scores, "phash", max_fpr=0.01), pd.DataFrame)
    assert_type(sl.read_pairs("labels.csv"), pd.DataFrame)
    assert_type(sl.read_distances("scores.csv", "bits"), pd.DataFrame)


def an_ensemble(scores: pd.DataFrame) -> None:
    ensemble = sl.Ensemble(["phash", "dhash"]).fit(scores)
    assert_type(ensemble, sl.Ensemble)
    assert_type(ensemble.distance(scores), pd.Series)
    assert_type(sl.Ensemble.load(), sl.Ensemble)


def a_search(folder: str, picture: Image.Image) -> None:
    found = sl.find_copies(folder)
    assert_type(found, pd.DataFrame)
    assert_type(sl.group(found), pd.DataFrame)
    assert_type(sl.find_leaks(folder, folder).shares, pd.DataFrame)
    assert_type(sl.Gallery(folder).query(picture), pd.DataFrame)


def two_pictures(path: str) -> None:
    picture = sl.read_image(path)
    assert_type(picture, Image.Image)
    assert_type(sl.hashes.phash(picture), np.ndarray)
    assert_type(sl.hashes.hamming(sl.hashes.phash(picture), sl.hashes.dhash(picture)), int)
    points = sl.akaze.extract(picture)
    assert_type(points, sl.keypoints.Keypoints)
    assert_type(sl.akaze.mean_distance(points, points), float)
    assert_type(sl.perturb.apply(picture, "crop", seed=0), Image.Image)
    assert_type(sl.distances(picture, path), pd.DataFrame)
    assert_type(sl.overlap(picture, path), pd.DataFrame)
