"""What methods cost on one core: processor time, the best of three runs, mean over pictures and
pairs.
"""

import itertools
import time

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import simlab as sl
from simlab.methods.registry import extract_all, resolve


def cost_table(images, sets, *, known=()):
    """Each set of methods by its name: ms_per_picture, ms_per_pair and bytes_per_picture of all of
    it together.

    A picture is a query, of which some methods look at the mirror image too; the decoding of its
    file is left out.

    Args:
        known: methods whose features are there already and cost nothing.
    """
    cv2.setNumThreads(1)
    given = (
        {feature for method in resolve(known) for feature in method.features(query=True)}
        if known
        else set()
    )
    with threadpool_limits(1):
        rows = [(name, *_cost(images, resolve(methods), given)) for name, methods in sets.items()]
    return pd.DataFrame(
        rows, columns=["method", "ms_per_picture", "ms_per_pair", "bytes_per_picture"]
    )


def _cost(images, methods, given):
    features = {feature: None for method in methods for feature in method.features(query=True)}
    new, kept = (
        [f for f in features if f not in given],
        {m.feature.key for m in methods if m.feature not in given},
    )
    extracting, _ = (
        _best(lambda: [extract_all(image, new) for image in images]) if new else (0.0, None)
    )
    packed = [extract_all(image, features) for image in images]
    matching = sum(_matching(method, packed) for method in methods)
    kept_bytes = np.mean([sum(len(one[key]) for key in kept) for one in packed])
    return 1e3 * extracting / len(images), 1e3 * matching, kept_bytes


def _matching(method, packed):
    """Seconds for a pair."""
    features = [[one[feature.key] for feature in method.features(query=True)] for one in packed]
    features = [one for one in features if all(one)]
    i, j = map(np.array, zip(*itertools.permutations(range(len(features)), 2)))
    if method.compare_many is None:
        return _best(lambda: [method.distance(features[a][0], *features[b]) for a, b in zip(i, j)])[
            0
        ] / len(i)
    stack = np.stack([method.restore(sl.cache.unpack(one[0])) for one in features])
    i, j = np.tile(i, 100), np.tile(j, 100)
    return len(features[0]) * _best(lambda: method.compare_many(stack, i, j))[0] / len(i)


def _best(function):
    """Seconds of the best of three runs, and what the last returned."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return min(seconds), result
