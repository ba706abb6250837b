"""Do two pictures contradict each other? Evidence from every place, once one is laid on the other.

Copies agree wherever they overlap, apart from what only one of them has in a place; look-alikes
each have something of their own in the same frame: two fills of one form, two shots of one scene.

Read :func:`contradictions` first. One picture is laid on the other to the pixel; then it is asked
of the edges of each whether the other has them too. Edges that are missing together, in one place,
are something that this picture has and the other lacks. An edit adds such places on one side; look-
alikes have them on both.
"""

import math
from typing import Annotated, NamedTuple

import cv2
import numpy as np
import pandas as pd

from simlab.messages import counted
from simlab.methods import alignment
from simlab.methods.alignment import Looks
from simlab.methods.registry import register
from simlab.specs import between, checked

RELATED = 0.4
"""Pictures that correlate less, however they are laid, have no common frame: no evidence."""

_ABOUT_AS_LIKELY = 0.1
"""Frames whose correlation is this much less than the best one's are tried too."""

_NONE = 0.003
"""A share that is as good as none: no other frame is tried."""

_EVEN = 1.2
"""Sigma in pixels of the smoothing that both pictures get, so that noise makes few edges."""

_FAINT = 2.5
"""Grey levels a pixel: gradients under this are no edges."""

_EDGES = 0.4
"""At most this share of the pixels are edges: the strongest."""

_STRONGEST = 40.0
"""Grey levels a pixel: stronger gradients count no more than this."""

_KEPT = 0.3
"""An edge is kept where the other's gradient, in its direction, has this share of what is usual."""

_MISSING = 0.4
"""Where this share of the edges around a place is not kept, what is missing there is a thing."""

_AROUND = 3.0
"""Sigma in pixels of what is around a place."""

_LEAST_PIXELS = 500
_LEAST_EDGES = 60
_LEAST_AREA = 12  # of a place, in pixels: less is the rest of an edge

_OPAQUE = 0.8
"""Share of the edges within a thing that must be its own, for it to hide what is under it."""

_HIDDEN = 1.5
"""A thing may hide so many times what is expected under it, and is yet one that was added."""

_MOST_HIDDEN = 0.2
"""No added thing hides more than this share of a picture's edges."""

_OTHER_COLOUR = 20.0
"""Distance in a and b of CIE Lab from which a colour is another."""

_COLOURED = 10.0
"""Chroma in CIE Lab from which a place has a colour."""


class Contradictions(NamedTuple):
    """What two pictures have of their own, in the frame of the coarser of the two."""

    share: float
    """0 to 1: of what either shows, how much the other contradicts; that of the lesser side."""
    own_reference: np.ndarray
    """bool (height, width): places where only the reference has something."""
    own_query: np.ndarray
    """bool (height, width): places where only the query has something."""
    recoloured: np.ndarray
    """bool (height, width): places where both have a colour, and not the same."""
    to_reference: np.ndarray
    """float (3, 3): from pixels of the frame to those of the reference."""
    to_query: np.ndarray
    """float (3, 3): from pixels of the frame to those of the query."""


@checked
def contradiction_distance(
    a: Looks, b: Looks, *, ratio: Annotated[float, between(0.01, 1)] = 0.85
) -> float:
    """Return how much two pictures contradict each other, 0 to 1; NaN where nothing says.

    Nothing says where they have no common frame (see :data:`RELATED`), or hardly any edges in it.

    Not symmetric, as :func:`simlab.methods.alignment.aligned_distance` is not.
    """
    found = contradictions(a, b, ratio=ratio)
    if found is None:
        return math.nan
    return round(found.share, 6)


def contradictions(a: Looks, b: Looks, *, ratio: float = 0.85) -> Contradictions | None:
    """Return what the pictures of two features contradict each other in; None if nothing says.

    Of the frames that are about as likely as the best, that counts in which they contradict least.
    """
    least = None
    for transform in _likely_transforms(a, b, ratio):
        found = _contradictions_in(_common_frame(a, b, transform))
        if found is None:
            continue
        if least is None or found.share < least.share:
            least = found
        if least.share <= _NONE:
            break
    return least


def _contradictions_in(frame: "_Frame") -> Contradictions | None:
    """What the pictures contradict each other in, in one frame; None where there is too little."""
    if frame.both.sum() < _LEAST_PIXELS:
        return None
    edges = [_edges(frame.first), _edges(frame.second)]
    things = []
    for own, other in (edges, edges[::-1]):
        found = _things(own, other, frame.both)
        if found is None:
            return None
        things.append(found)
    recoloured = _recoloured(frame, things[0].places | things[1].places)
    first = _contradicted(things[0], things[1], frame.both)
    second = _contradicted(things[1], things[0], frame.both)
    share = min(first, second) + recoloured.sum() / frame.both.sum()
    own_places = [thing.places & frame.both for thing in things]
    to_pixels = list(_to_pixels(frame))
    if frame.swapped:
        own_places.reverse()
        to_pixels.reverse()
    return Contradictions(min(1.0, float(share)), *own_places, recoloured, *to_pixels)


PLACE_KINDS = ("both", "reference", "query", "colour")
"""What a place is: each picture has something of its own there, or one has; or the colours differ.
"""


def places(image_a, image_b) -> pd.DataFrame | None:
    """Return where two pictures contradict each other, largest place first; None if nothing says.

    Args:
        image_a, image_b: the reference and the query: what :func:`simlab.read_image` takes.

    Returns:
        A row a place: kind (one of :data:`PLACE_KINDS`), and its box in the pixels of either:
        left_reference, top_reference, right_reference, bottom_reference, left_query and so on.
    """
    found = contradictions(alignment.looks(image_a), alignment.looks(image_b))
    if found is None:
        return None
    return places_of(found)


def places_of(found: Contradictions) -> pd.DataFrame:
    """Return the same of what :func:`contradictions` returns."""
    anywhere = found.own_reference | found.own_query | found.recoloured
    joined = cv2.dilate(anywhere.astype(np.uint8), np.ones((3, 3), np.uint8))
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(joined)
    areas = boxes[:, cv2.CC_STAT_AREA]
    largest_first = np.argsort(-areas[1:], kind="stable") + 1
    rows = []
    for number in largest_first[areas[largest_first] >= _LEAST_AREA]:
        here = numbers == number
        left, top, width, height, _ = boxes[number]
        corners = np.array([[left, top], [left + width, top], [left, top + height]])
        corners = np.vstack([corners, [[left + width, top + height]]])
        row = {"kind": _kind_of_place(found, here)}
        for side, to_pixels in (("reference", found.to_reference), ("query", found.to_query)):
            moved = np.column_stack([corners, np.ones(4)]) @ to_pixels.T
            moved = moved[:, :2] / moved[:, 2:]
            row[f"left_{side}"], row[f"top_{side}"] = moved.min(axis=0).round(1)
            row[f"right_{side}"], row[f"bottom_{side}"] = moved.max(axis=0).round(1)
        rows.append(row)
    return pd.DataFrame(rows, columns=_PLACE_COLUMNS)


_PLACE_COLUMNS = ["kind"]
for _side in ("reference", "query"):
    _PLACE_COLUMNS += [f"{edge}_{_side}" for edge in ("left", "top", "right", "bottom")]


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


def sentence(places: pd.DataFrame | None) -> str:
    """Return in words what :func:`places` found."""
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


class _Frame(NamedTuple):
    """Two views, the second laid on the first, which is the coarser."""

    first: np.ndarray
    second: np.ndarray
    both: np.ndarray
    """bool: where both show something."""
    coarse: Looks
    fine: Looks
    to_first: np.ndarray
    """float (3, 3): from pixels of the second view, as it was, to those of the first."""
    swapped: bool
    """Whether the first is the query."""


def _common_frame(a: Looks, b: Looks, to_a: np.ndarray) -> _Frame:
    """Both views in the frame of the coarser, laid on each other to the pixel."""
    swapped = abs(np.linalg.det(to_a[:2, :2] / to_a[2, 2])) > 1
    coarse, fine = (b, a) if swapped else (a, b)
    to_coarse = np.linalg.inv(to_a) if swapped else to_a
    first = coarse.view.astype(np.float32)
    second, both = _laid(fine.view, to_coarse, first.shape)
    for _ in range(_MOST_CORRECTIONS):
        correction = _correction(first, second, both)
        if correction is None:
            break
        to_coarse = correction @ to_coarse
        second, both = _laid(fine.view, to_coarse, first.shape)
        if _largest_move(correction, first.shape) < _STILL:
            break
    inner = cv2.erode(both, np.ones((7, 7), np.uint8), borderValue=0) > 0
    return _Frame(first, second, inner, coarse, fine, to_coarse, swapped)


def _likely_transforms(a: Looks, b: Looks, ratio: float) -> list[np.ndarray]:
    """How the second view may lie on the first, likeliest first; none where they are not related.

    Beside what matching keypoints say, the whole of one may be the whole of the other, or its
    mirror image.
    """
    whole = _resized(b.grey, a.grey)
    mirror = np.array([[-1.0, 0.0, b.grey.shape[1] - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    tried = [
        alignment.best_transform(a, b, ratio=ratio, tolerance=2.0),
        *_of_fine_matches(a, b, ratio),
        (alignment.likeness(a.grey, b.grey, whole), whole),
        (alignment.likeness(a.grey, b.grey[:, ::-1], whole), whole @ mirror),
    ]
    tried.sort(key=lambda likeness_and_transform: -likeness_and_transform[0])
    least = max(RELATED, tried[0][0] - _ABOUT_AS_LIKELY)
    likely: list[np.ndarray] = []
    for likeness, small in tried:
        transform = _resized(a.grey, a.view) @ small @ _resized(b.view, b.grey)
        corners = _corners(transform, b.view.shape)
        is_new = all(
            np.abs(corners - _corners(known, b.view.shape)).max() > _REACH / 2 for known in likely
        )
        if likeness >= least and is_new:
            likely.append(transform)
    return likely


def _of_fine_matches(a: Looks, b: Looks, ratio: float) -> list[tuple[float, np.ndarray]]:
    """The same of a turn, a shift and a scale alone, which few keypoints say more exactly."""
    source, target = alignment.matched_points(a, b, ratio)
    if len(source) < 4:
        return []
    similarity, _ = cv2.estimateAffinePartial2D(source, target, ransacReprojThreshold=1.0)
    if similarity is None:
        return []
    transform = np.vstack([similarity, [0, 0, 1]])
    return [(alignment.likeness(a.grey, b.grey, transform), transform)]


def _resized(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """From pixels of a picture to those of the same at another size; centres are half a pixel in."""
    across = wanted.shape[1] / given.shape[1]
    down = wanted.shape[0] / given.shape[0]
    return np.array(
        [[across, 0, (across - 1) / 2], [0, down, (down - 1) / 2], [0, 0, 1]], dtype=float
    )


def _laid(
    view: np.ndarray, transform: np.ndarray, shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """A view as it lies in another frame, and where it does (uint8)."""
    fine = view.astype(np.float32)
    shrunk = math.sqrt(abs(np.linalg.det(transform[:2, :2] / transform[2, 2])))
    if shrunk < 0.9:
        fine = cv2.GaussianBlur(fine, (0, 0), 0.5 / shrunk)
    size = shape[::-1]
    laid = cv2.warpPerspective(fine, transform, size, borderMode=cv2.BORDER_REPLICATE)
    whole = np.ones(view.shape, np.uint8)
    there = cv2.warpPerspective(whole, transform, size, flags=cv2.INTER_NEAREST)
    return laid, there


_PATCH = 32  # pixels, of the patches that are looked for
_REACH = 7  # pixels, by which they may have moved
_MOST_PATCHES = 40
_SURE = 0.6  # correlation of a patch that was found
_ENOUGH = 5  # patches that agree
_MOST_CORRECTIONS = 3
_STILL = 0.5  # pixels: a correction that moves less is the last


def _correction(first: np.ndarray, second: np.ndarray, both: np.ndarray) -> np.ndarray | None:
    """The affine transform that moves the second to the first by the last pixels, if any is found.

    Patches of the first are looked for in the second nearby, by correlation.
    """
    moved = [_moved(first, second, x, y) for x, y in _patches(first, both)]
    pairs = [pair for pair in moved if pair is not None]
    if len(pairs) <= _ENOUGH:
        return None
    here = np.array([pair[0] for pair in pairs], dtype=np.float32)
    there = np.array([pair[1] for pair in pairs], dtype=np.float32)
    affine, agree = cv2.estimateAffine2D(there, here, method=cv2.RANSAC, ransacReprojThreshold=1.0)
    if affine is None or agree.sum() < _ENOUGH:
        return None
    correction = np.vstack([affine, [0, 0, 1]])
    if _largest_move(correction, first.shape) > 2 * _REACH:
        return None
    return correction


def _largest_move(transform: np.ndarray, shape: tuple[int, ...]) -> float:
    """By how many pixels a transform moves the corners at most."""
    return float(np.abs(_corners(transform, shape) - _corners(np.eye(3), shape)).max())


def _corners(transform: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Where the corners of a picture come to lie, float (4, 2)."""
    height, width = shape
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]])
    moved = corners @ transform.T
    return moved[:, :2] / moved[:, 2:]


def _patches(first: np.ndarray, both: np.ndarray) -> list[tuple[int, int]]:
    """Left upper corners of patches with contrast, those with most of it first."""
    height, width = first.shape
    half = _PATCH // 2
    patches = []
    covered = cv2.erode(both, np.ones((_PATCH, _PATCH), np.uint8), borderValue=0)
    mean = cv2.blur(first, (_PATCH, _PATCH))
    variance = cv2.blur(first * first, (_PATCH, _PATCH)) - mean * mean
    for y in range(_REACH, height - _PATCH - _REACH, half):
        for x in range(_REACH, width - _PATCH - _REACH, half):
            contrast = variance[y + half, x + half]
            if contrast > 25 and covered[y + half, x + half]:
                patches.append((-contrast, x, y))
    return [(x, y) for _, x, y in sorted(patches)[:_MOST_PATCHES]]


def _moved(first: np.ndarray, second: np.ndarray, x: int, y: int):
    """The centre of a patch of the first, and where in the second it is, to parts of a pixel."""
    patch = first[y : y + _PATCH, x : x + _PATCH]
    around = second[y - _REACH : y + _PATCH + _REACH, x - _REACH : x + _PATCH + _REACH]
    found = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (across, down) = cv2.minMaxLoc(found)
    on_the_rim = across in (0, 2 * _REACH) or down in (0, 2 * _REACH)
    if best < _SURE or on_the_rim:
        return None
    left, right = found[down, across - 1], found[down, across + 1]
    above, below = found[down - 1, across], found[down + 1, across]
    here = (x + _PATCH / 2, y + _PATCH / 2)
    there = (
        here[0] + across - _REACH + _peak(left, best, right),
        here[1] + down - _REACH + _peak(above, best, below),
    )
    return here, there


def _peak(before: float, best: float, after: float) -> float:
    """Where between -.5 and .5 the parabola through three values has its peak."""
    bend = before - 2 * best + after
    return 0.5 * (before - after) / (bend - 1e-9)


class _Edges(NamedTuple):
    """Gradients of a picture, in grey levels a pixel."""

    across: np.ndarray
    down: np.ndarray
    strength: np.ndarray


def _edges(grey: np.ndarray) -> _Edges:
    smooth = cv2.GaussianBlur(grey, (0, 0), _EVEN)
    across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    return _Edges(across, down, cv2.magnitude(across, down))


class _Things(NamedTuple):
    """What one picture has that the other lacks."""

    edges: np.ndarray
    """float32: strength of its edges, 0 elsewhere."""
    missing: np.ndarray
    """bool: those of its edges that belong to a thing that the other lacks."""
    places: np.ndarray
    """bool: the places of such things."""


def _things(own: _Edges, other: _Edges, both: np.ndarray) -> _Things | None:
    """What a picture has that the other lacks; None where it has hardly any edges."""
    strengths = own.strength[both]
    faintest = max(_FAINT, float(np.quantile(strengths, 1 - _EDGES)))
    is_edge = both & (own.strength > faintest)
    if is_edge.sum() < _LEAST_EDGES:
        return None
    found = _found_again(own, other)
    # blur and contrast change all edges alike
    usual = float(np.clip(np.median(found[is_edge]), 0.3, 1.2))
    is_kept = found > _KEPT * usual
    edges = np.where(is_edge, np.minimum(own.strength, _STRONGEST), 0).astype(np.float32)
    gone = np.where(is_kept, np.float32(0), edges)
    gone_around = cv2.GaussianBlur(gone, (0, 0), _AROUND)
    edges_around = cv2.GaussianBlur(edges, (0, 0), _AROUND)
    missing = is_edge & (gone_around > _MISSING * edges_around)
    return _Things(edges, missing, _places(edges, missing))


_DIRECTIONS = 8


def _found_again(own: _Edges, other: _Edges) -> np.ndarray:
    """For each gradient the largest of the other's in its direction, within a pixel, by its own."""
    steps = cv2.phase(own.across, own.down) * (_DIRECTIONS / (2 * math.pi))
    nearest = np.rint(steps).astype(np.uint8) % _DIRECTIONS
    most = 0.8 * other.strength  # a gradient that points elsewhere is another edge
    largest = np.zeros_like(own.strength)
    for direction in range(_DIRECTIONS):
        angle = 2 * math.pi * direction / _DIRECTIONS
        along = cv2.addWeighted(other.across, math.cos(angle), other.down, math.sin(angle), 0)
        along *= along >= most
        nearby = cv2.dilate(along, np.ones((3, 3), np.uint8))
        cv2.copyTo(nearby, (nearest == direction).astype(np.uint8), largest)
    return largest / (own.strength + 1e-6)


_JOINING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13))


def _places(edges: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The places of things: their near parts joined, and filled where they hide what is within.

    A thing hides what is within when hardly any edge in there is the other's too: a sticker does,
    a bottle of another colour does not.
    """
    rim = 8
    padded = cv2.copyMakeBorder(
        missing.astype(np.uint8), rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=0
    )
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _JOINING)[rim:-rim, rim:-rim]
    outlines, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    large = [outline for outline in outlines if cv2.contourArea(outline) >= _LEAST_AREA]
    numbers = np.zeros(missing.shape, np.int32)
    for number, outline in enumerate(large, 1):
        cv2.drawContours(numbers, [outline], -1, number, cv2.FILLED)
    within = np.bincount(numbers.ravel(), edges.ravel(), len(large) + 1)
    own = np.bincount(numbers.ravel(), (edges * missing).ravel(), len(large) + 1)
    hides = own >= _OPAQUE * within
    hides[0] = False
    return hides[numbers] | ((joined > 0) & (numbers > 0))


def _contradicted(own: _Things, other: _Things, both: np.ndarray) -> float:
    """Share of a picture's edges that the other contradicts.

    What the other's things hide does not count, as long as it is no more than lies around them.
    """
    total = float(own.edges.sum())
    gone = own.edges * own.missing
    in_the_open = float(gone[~other.places].sum()) / total
    under_things = float(gone[other.places].sum()) / total
    if not under_things:
        return in_the_open
    free = both & ~own.places & ~other.places
    known = cv2.GaussianBlur(free.astype(np.float32), (0, 0), 8) + 1e-3
    around = cv2.GaussianBlur(own.edges * free, (0, 0), 8) / known
    expected = float(around[other.places & both].sum()) / total
    hidden = min(_MOST_HIDDEN, _HIDDEN * expected)
    return in_the_open + max(0.0, under_things - hidden)


def _recoloured(frame: _Frame, things: np.ndarray) -> np.ndarray:
    """Where both have a colour, and not the same, after a change of colour of the whole.

    Things that only one of them has do not count.
    """
    first, second = frame.coarse.colour, frame.fine.colour
    height, width = first.shape[:2]
    to_small = (
        _resized(frame.coarse.view, first) @ frame.to_first @ _resized(second, frame.fine.view)
    )
    laid = cv2.warpPerspective(_lab(second), to_small, (width, height))
    usable = (frame.both & ~things).astype(np.uint8)
    usable = cv2.resize(usable, (width, height), interpolation=cv2.INTER_NEAREST) > 0
    usable &= _clipped(first) == _clipped(cv2.warpPerspective(second, to_small, (width, height)))
    places = np.zeros((height, width), dtype=np.uint8)
    if usable.sum() >= _LEAST_EDGES:
        places[usable] = _is_other_colour(_lab(first)[usable], laid[usable])
    size = frame.first.shape[::-1]
    return cv2.resize(places, size, interpolation=cv2.INTER_NEAREST) > 0


def _clipped(rgb: np.ndarray) -> np.ndarray:
    """Where a channel is at its end: there a colour may have been lost."""
    return rgb.max(axis=2) >= 250


def _lab(rgb: np.ndarray) -> np.ndarray:
    """CIE Lab, float32; smoothed, since JPEG keeps colour at half the size."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return cv2.GaussianBlur(lab, (0, 0), 0.8)


def _is_other_colour(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Which of the places have another colour (n,), from Lab (n, 3).

    A change of the whole is one of saturation, tint, and tint by lightness; it is fitted robustly.
    """
    n = len(first)
    lightness, a, b = second.T.astype(float)
    one, none = np.ones(n), np.zeros(n)
    tints_of_a = np.column_stack([a, lightness / 50, one, none, none])
    tints_of_b = np.column_stack([b, none, none, lightness / 50, one])
    basis = np.vstack([tints_of_a, tints_of_b])
    wanted = np.concatenate([first[:, 1], first[:, 2]]).astype(float)
    weight = np.ones(2 * n)
    for _ in range(4):
        weighed = basis * weight[:, None]
        change = np.linalg.solve(basis.T @ weighed + 1e-2 * np.eye(5), weighed.T @ wanted)
        rest = (wanted - basis @ change).reshape(2, n)
        distance = np.hypot(*rest)
        weight = np.tile(1 / (1 + (distance / 8) ** 2), 2)
    has_colour = np.hypot(a, b) > _COLOURED
    has_colour &= np.hypot(first[:, 1], first[:, 2]) > _COLOURED
    return has_colour & (distance > _OTHER_COLOUR)


def _to_pixels(frame: _Frame) -> tuple[np.ndarray, np.ndarray]:
    """From the frame to the pixels of the first and of the second picture, as they were given."""
    to_second = np.linalg.inv(frame.to_first)
    first = _resized_to_given(frame.coarse)
    return first, _resized_to_given(frame.fine) @ to_second


def _resized_to_given(looks: Looks) -> np.ndarray:
    """From pixels of the view to those of the picture that was given."""
    factor = max(looks.grey.shape) / float(looks.scale[0]) / max(looks.view.shape)
    return np.array([[factor, 0, (factor - 1) / 2], [0, factor, (factor - 1) / 2], [0, 0, 1]])


register(
    "contradiction",
    alignment.looks,
    distance=contradiction_distance,
    maximum=1.0,
    restore=Looks._make,
    feature="looks",
    feature_kind="keypoints",
    symmetric=False,
)
