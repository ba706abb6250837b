"""What scoring costs: foretold for pairs, and measured for each method, on a few pictures."""

import contextlib
import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import joblib
import numpy as np
from pandas import DataFrame

from simlab.images import Picture, read_bytes, read_image
from simlab.messages import counted, in_units
from simlab.methods import registry
from simlab.methods.registry import Method
from simlab.paths import AnyPath
from simlab.scoring.one_pair import PIXELS, LazyPicture, compare, needed
from simlab.scoring.table import checked_pairs, variants_of
from simlab.scoring.workers import Died, check_jobs, run
from simlab.specs import Names
from simlab.tables import root_of


def preview(
    pairs: DataFrame,
    methods: Names | None = None,
    *,
    root: AnyPath | None = None,
    n_jobs: int = -1,
) -> str:
    """Return what scoring would cost without a cache: "3,600 pairs of 396 pictures, about 40 s".

    The time is extrapolated from a few pictures and one pair of different ones, on as many
    processes as `n_jobs` says.
    """
    check_jobs(n_jobs)
    resolved = registry.resolve(methods)
    folder = root_of(pairs, root)
    table = checked_pairs(pairs)
    variants = set(variants_of(table, "reference") + variants_of(table, "query"))
    files = sorted({folder / variant.path for variant in variants})
    examples = list(itertools.islice(filter(Path.is_file, files), 4))  # some may be unreadable
    # where a picture crashes its decoder, only a worker ends
    task = (examples, resolved, len(variants), len(pairs))
    ((_, seconds),) = run(_seconds, [("", task)], n_jobs=n_jobs)
    if isinstance(seconds, Died):
        seconds = 0.0
    time_needed = in_units(seconds / joblib.effective_n_jobs(n_jobs))
    n_pairs = counted(len(pairs), "pair")
    return f"{n_pairs} of {counted(len(variants), 'picture')}, about {time_needed}"


def _seconds(paths: list[Path], methods: list[Method], n_variants: int, n_pairs: int) -> float:
    """Cost of the whole on one core, from a few pictures and one pair."""
    images = _readable(paths)
    if not images:
        return 0.0
    # of a single picture, the pairs are with its variants
    images.append(images[0].rotate(90, expand=True))
    not_stacked = [method for method in methods if method.compare_many is None]
    _cost_of_one(images[:2], methods, not_stacked)  # the first time pays for loading libraries
    per_picture, per_pair = _cost_of_one(images[:2], methods, not_stacked)
    return per_picture * n_variants + per_pair * n_pairs


def _readable(paths: list[Path]) -> list[Picture]:
    images = []
    for path in paths:
        with contextlib.suppress(ValueError):
            images.append(read_image(read_bytes(path)))
    return images


def _cost_of_one(
    images: Sequence[Picture],
    methods: list[Method],
    compared: list[Method],
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[float, float]:
    """Seconds to make a picture's features, and to compare two pictures by some of the methods."""
    start = clock()
    reference, query = map(LazyPicture, images)
    for picture in (reference, query):
        picture.make([PIXELS, *needed(methods, query=True)])
    made = clock()
    for method in compared:
        compare(method, reference, query)
    return (made - start) / 2, clock() - made


def timings(images: DataFrame, methods: Names | None = None) -> DataFrame:
    """Return what each method costs here and now, in processor time: no two runs give the same.

    Measured on eight pictures of the table, decoded before, one method after the other: the median.
    Columns: method, ms_picture (to make what it needs of a picture, as a query), ms_pair (to
    compare two, one pair alone), n_pictures, megapixels (their median).
    """
    folder = root_of(images, columns=["path"])
    paths = [folder / path for path in sorted(images["path"])]
    step = max(1, len(paths) // 8)
    task = (paths[::step][:8], registry.resolve(methods))
    # where a picture crashes its decoder, only a worker ends
    ((_, rows),) = run(_timed, [("", task)], n_jobs=2)
    columns = ["method", "ms_picture", "ms_pair", "n_pictures", "megapixels"]
    return DataFrame([] if isinstance(rows, Died) else rows, columns=columns)


def _timed(paths: list[Path], methods: list[Method]) -> list[tuple]:
    images = _readable(paths)
    if len(images) < 2:
        return []
    megapixels = float(np.median([image.width * image.height for image in images])) / 1e6
    rows = []
    for method in methods:
        one = ([method], [method], time.process_time)
        _cost_of_one(images[:2], *one)  # the first time pays for loading libraries
        costs = [_cost_of_one(pair, *one) for pair in itertools.pairwise(images)]
        per_picture, per_pair = np.median(costs, axis=0) * 1000
        rows.append((method.name, per_picture, per_pair, len(images), megapixels))
    return rows
