"""An index in parts, each of which lies on a worker of a Dask cluster, and is asked there.

The candidates are those of one index of all: keypoints look for neighbours in the same lists in
every part, and the nearest of all are among the nearest of each part. Dask keeps what a part was
made of, and makes it anew where a worker ends.
"""

import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from simlab.search.indexes import (
    BEST,
    NEAR,
    Candidates,
    Index,
    KeypointIndex,
    Rows,
    centres_at,
)

BLOCK = 64
"""Pictures whose features are handed to a part at a time."""

_AHEAD = 2  # ballots of each worker that are under way


def found_in_parts(
    client: Any,
    index: Index,
    packed: Sequence[bytes],
    starts: Sequence[int],
    ballot: Callable[[int], Sequence[Sequence[bytes]]],
) -> Iterator[tuple[int, Candidates]]:
    """Yield for each ballot its start and the candidates among the pictures of all parts.

    Args:
        index: an empty one.
        packed: the feature of all pictures.
        ballot: gives the queries of a ballot, in each orientation.
    """
    parts = _laid_out(client, index, packed)
    under_way = deque()
    for number, start in enumerate(starts):
        one = parts[number % len(parts)]
        best = _asked(client, index, parts, one, index.asked(ballot(start)))
        under_way.append((start, best))
        if len(under_way) > _AHEAD * len(parts):
            begun, best = under_way.popleft()
            yield begun, client.gather(best)
    for begun, best in under_way:
        yield begun, client.gather(best)


def _laid_out(client: Any, index: Index, packed: Sequence[bytes]) -> list[Any]:
    """The parts of the filled index, one on each worker: futures."""
    workers = sorted(client.ncores())[: len(packed)]
    edges = np.linspace(0, len(packed), len(workers) + 1).astype(int).tolist()
    of_parts = []
    places = []
    for worker, (start, end) in zip(workers, itertools.pairwise(edges)):
        blocks = []
        for at in range(start, end, BLOCK):
            rows = index.rows(packed[at : min(at + BLOCK, end)])
            rows = Rows(rows.picture + rows.picture.dtype.type(at), rows.values)
            blocks.append(client.submit(_given, rows, pure=False))
        # another worker takes its place where it ends
        places.append({"workers": [worker], "allow_other_workers": True, "pure": False})
        of_parts.append(client.submit(_joined, blocks, **places[-1]))
    centres = None
    if isinstance(index, KeypointIndex):
        centres = _centres(client, of_parts)
    parts = []
    for rows, place in zip(of_parts, places):
        parts.append(client.submit(_filled, index, rows, centres, **place))
    return parts


def _centres(client: Any, of_parts: Sequence[Any]) -> Any:
    """The codes that an index of all would choose as centres."""
    ends = np.cumsum(client.gather(client.map(_count, of_parts, pure=False)))
    positions = centres_at(ends[-1])
    chosen = np.split(positions, np.searchsorted(positions, ends[:-1]))
    of_centres = []
    for rows, start, at in zip(of_parts, [0, *ends[:-1]], chosen):
        of_centres.append(client.submit(_taken, rows, at - start, pure=False))
    return client.submit(np.concatenate, of_centres, pure=False)


def _asked(client: Any, index: Index, parts: Sequence[Any], one: Any, asked: Sequence[Rows]) -> Any:
    """The candidates of one ballot, for which one of the parts says where to look: a future."""
    given = [client.submit(_given, rows, pure=False) for rows in asked]
    where = client.submit(_where, one, given, pure=False)
    answers = [client.submit(_answers, part, given, where, pure=False) for part in parts]
    return client.submit(_best, index, answers, pure=False)


# --- what workers do


def _given(rows: Rows) -> Rows:
    return rows


def _joined(blocks: Sequence[Rows]) -> Rows:
    # a block without values has them in no shape
    of_parts = [block for block in blocks if len(block.values)] or blocks[:1]
    return Rows._make([np.concatenate(columns) for columns in zip(*of_parts)])


def _filled(index: Index, rows: Rows, centres: ndarray | None) -> Index:
    index.fill(rows, centres)
    return index


def _count(rows: Rows) -> int:
    return len(rows.values)


def _taken(rows: Rows, at: ndarray) -> ndarray:
    return rows.values[at]


def _where(part: Index, asked: Sequence[Rows]) -> list[ndarray | None]:
    return part.where(asked)


def _answers(part: Index, asked: Sequence[Rows], where: Sequence[ndarray | None]) -> list[Any]:
    return part.answers(asked, n=BEST + 1, near=NEAR, where=where)


def _best(index: Index, answers: Sequence[Sequence[Any]]) -> Candidates:
    return index.best(answers, n=BEST + 1)
