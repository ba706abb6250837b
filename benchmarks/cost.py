"""What methods cost on one core: processor time, the best of three runs, mean over pictures and pairs."""

import itertools
import time

import cv2
import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

import simlab as sl
from simlab.methods import extract_all, resolve


def cost_table(images, sets):
    """Each set of methods by its name: ms_per_picture, ms_per_pair and bytes_per_picture of all of it together.

    The decoding of files and the mirror image that a query may need are left out.
    """
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        rows = [(name, *_cost(images, resolve(methods))) for name, methods in sets.items()]
    return pd.DataFrame(rows, columns=["method", "ms_per_picture", "ms_per_pair", "bytes_per_picture"])


def _cost(images, methods):
    features = list(dict.fromkeys(method.feature for method in methods))
    extracting, packed = _best(lambda: [extract_all(image, features) for image in images])
    matching = sum(_matching(method, [one[method.feature.key] for one in packed]) for method in methods)
    return 1e3 * extracting / len(images), 1e3 * matching, np.mean([sum(map(len, one.values())) for one in packed])


def _matching(method, features):
    """Seconds for a pair."""
    features = [feature for feature in features if feature]
    i, j = map(np.array, zip(*itertools.permutations(range(len(features)), 2)))
    if method.compare_many is None:
        return _best(lambda: [method.distance(features[a], features[b]) for a, b in zip(i, j)])[0] / len(i)
    stack = np.stack([method.restore(sl.cache.unpack(feature)) for feature in features])
    i, j = np.tile(i, 100), np.tile(j, 100)
    return _best(lambda: method.compare_many(stack, i, j))[0] / len(i)


def _best(function):
    """Seconds of the best of three runs, and what the last returned."""
    seconds = []
    for _ in range(3):
        start = time.process_time()
        result = function()
        seconds.append(time.process_time() - start)
    return min(seconds), result
