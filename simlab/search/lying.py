"""Where found pictures lie in each other, as columns of their table: made for found pairs only."""

import contextlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from simlab.images import Size
from simlab.messages import progress_bar
from simlab.methods import overlap
from simlab.methods.packing import unpack
from simlab.scoring.cache import key
from simlab.scoring.features import Store, Variant
from simlab.scoring.one_pair import Features
from simlab.scoring.workers import Died, chunked, run
from simlab.search.library import SIZE_AND_DETAIL
from simlab.tables import Pair

_PART = 128  # pairs after which what was made is kept


def of_pairs(store: Store, pairs: Sequence[Pair]) -> pd.DataFrame:
    """Return the columns of :func:`simlab.overlap` for pairs of files, in their order.

    What the cache does not have is made by the workers, and kept.
    """
    looks = overlap.feature()
    files = dict.fromkeys(itertools.chain(*pairs))
    store.make(itertools.product(map(Variant, files), [looks, SIZE_AND_DETAIL]))
    keys = {}
    for pair in pairs:
        of_both = [store.key(Variant(file), looks).hex() for file in pair]
        keys[pair] = key("overlap", *of_both)
    kept = store.cache.get(keys.values())
    missing = [pair for pair, its_key in keys.items() if its_key not in kept]
    with progress_bar("overlaps", len(missing), "pair", shown=store.progress) as bar:
        for part in chunked(missing, _PART):
            made = {}
            tasks = ((pair, _task(store, pair)) for pair in part)
            with contextlib.closing(run(overlap.between, tasks, n_jobs=store.n_jobs)) as done:
                for pair, found in done:
                    if not isinstance(found, Died):
                        made[keys[pair]] = json.dumps(overlap.row_of(found)).encode()
            store.cache.put(made)
            kept |= made
            bar.update(len(part))
    # nothing is known of a pair on which a process died: a later search tries again
    rows = [json.loads(kept.get(keys[pair], b"{}")) for pair in pairs]
    return pd.DataFrame(rows, columns=overlap.COLUMNS)


def of_pictures(reference: Features, query: Features) -> dict[str, Any]:
    """Return the columns of :func:`simlab.overlap` for two pictures."""
    looks = overlap.feature()
    sizes = [_size(picture[SIZE_AND_DETAIL]) for picture in (reference, query)]
    return overlap.row_of(overlap.between(reference[looks], query[looks], *sizes))


def _task(store: Store, pair: Pair) -> tuple[bytes, bytes, Size, Size]:
    """The arguments of :func:`simlab.methods.overlap.between`."""
    variants = [Variant(file) for file in pair]
    kinds = [overlap.feature(), SIZE_AND_DETAIL]
    packed = store.get(itertools.product(variants, kinds))
    looks = [packed.get((variant, kinds[0]), b"") for variant in variants]
    sizes = [_size(packed.get((variant, SIZE_AND_DETAIL), b"")) for variant in variants]
    return (*looks, *sizes)


def _size(packed: bytes) -> Size:
    """Width and height; those of a flat picture, which has no looks either, are not known."""
    if not packed:
        return (0, 0)
    width, height, *_ = unpack(packed)[0]
    return (int(width), int(height))
