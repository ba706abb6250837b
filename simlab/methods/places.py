"""Where two pictures contradict each other, as boxes and in words."""

import itertools

import cv2
import numpy as np
from pandas import DataFrame

from simlab.messages import counted
from simlab.methods import alignment
from simlab.methods.alignment import Looks
from simlab.methods.contradiction import Contradictions, contradictions
from simlab.methods.overlap import EDGES
from simlab.tables import SIDES

_LEAST_AREA = 3
"""Pixels of the frame: less is the rest of an edge."""

KINDS = ("both", "reference", "query", "colour")
"""What a place is: each picture has something of its own there, or one has; or the colours differ.
"""


def places_between(image_a, image_b) -> DataFrame | None:
    """Return where two pictures contradict each other, largest place first; None if nothing says.

    Args:
        image_a, image_b: the reference and the query: what :func:`simlab.read_image` takes.

    Returns:
        A row a place: kind (one of :data:`KINDS`), and its box in the pixels of either:
        left_reference, top_reference, right_reference, bottom_reference, left_query and so on.
    """
    return places_of(alignment.looks(image_a), alignment.looks(image_b))


def places_of(a: Looks, b: Looks) -> DataFrame | None:
    """Return the same, from what :func:`simlab.methods.alignment.looks` made of two pictures."""
    found = contradictions(a, b)
    if found is None:
        return None
    return _boxes(found)


def _boxes(found: Contradictions) -> DataFrame:
    """The places of what was found, as boxes in the pixels of both pictures."""
    anywhere = found.own_reference | found.own_query | found.recoloured
    joined = cv2.dilate(anywhere.astype(np.uint8), np.ones((3, 3), np.uint8))
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(joined)
    areas = boxes[:, cv2.CC_STAT_AREA]
    largest_first = np.argsort(-areas[1:], kind="stable") + 1
    rows = []
    for number in largest_first[areas[largest_first] >= _LEAST_AREA]:
        here = numbers == number
        left, top, width, height, _ = boxes[number]
        corners = list(itertools.product((left, left + width), (top, top + height)))
        row = {"kind": _kind_of_place(found, here)}
        for side, to_pixels in (("reference", found.to_reference), ("query", found.to_query)):
            moved = np.column_stack([corners, np.ones(4)]) @ to_pixels.T
            moved = moved[:, :2] / moved[:, 2:]
            row[f"left_{side}"], row[f"top_{side}"] = moved.min(axis=0).round(1)
            row[f"right_{side}"], row[f"bottom_{side}"] = moved.max(axis=0).round(1)
        rows.append(row)
    return DataFrame(rows, columns=_PLACE_COLUMNS)


_PLACE_COLUMNS = ["kind"]
for _side in SIDES:
    _PLACE_COLUMNS += [f"{edge}_{_side}" for edge in EDGES]


def _kind_of_place(found: Contradictions, here: np.ndarray) -> str:
    """Whether one of them has most of what is there, or each has something."""
    of_reference = int(found.own_reference[here].sum())
    of_query = int(found.own_query[here].sum())
    if not of_reference and not of_query:
        return "colour"
    if of_reference < of_query / 4:
        return "query"
    if of_query < of_reference / 4:
        return "reference"
    return "both"


def sentence(places: DataFrame | None) -> str:
    """Return in words what :func:`places_between` found."""
    if places is None:
        return "Nothing says how one lies on the other."
    if places.empty:
        return "They agree wherever they overlap."
    counts = places["kind"].value_counts()
    told = {
        "both": "each has something of its own",
        "reference": "only the first has something",
        "query": "only the second has something",
        "colour": "the colours differ",
    }
    parts = [
        f"in {counted(counts[kind], 'place')} {words}"
        for kind, words in told.items()
        if kind in counts
    ]
    text = ", ".join(parts)
    return text[0].upper() + text[1:] + "."
