"""Do two pictures contradict each other? Evidence from every place, once one is laid on the other.

Copies agree wherever they overlap, apart from what only one of them has in a place; look-alikes
each have something of their own in the same frame: two fills of one form, two shots of one scene.

Read :func:`contradictions` first. One picture is laid on the other (:mod:`~simlab.methods.frames`);
then it is asked of the edges of each whether the other has them too. Edges that are missing
together, in one place, are something that this picture has and the other lacks. An edit adds such
places on one side; look-alikes have them on both.
"""

import itertools
import math
from typing import Annotated, NamedTuple

import cv2
import numpy as np
from numpy import ndarray

from simlab.methods import alignment
from simlab.methods.alignment import Looks
from simlab.methods.frames import Frame, common_frame, likely_transforms, resized, to_pixels, warped
from simlab.methods.registry import Orientations, register
from simlab.specs import between, checked

_NONE = 0.003
"""A share that is as good as none: no other frame is tried."""

_MOST_FRAMES = 4

_ABOUT_AS_MUCH = 0.95
"""Frames that explain less than this share of what the best one does are not asked."""

_NEARLY_ALL = 0.8
"""Where a frame explains so much, no other is tried."""

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
_LEAST_AREA = 3  # of a place, in pixels of half the size: less is the rest of an edge

_OPAQUE = 0.8
"""Share of the edges within a thing that must be gone, for it to be opaque."""

_LEAST_OPAQUE = 0.005
_MOST_OPAQUE = 0.4
"""Shares of the picture that an opaque thing has."""

_HIDDEN = 1.5
"""A thing may hide so many times what is expected under it, and is yet one that was added."""

_MOST_HIDDEN = 0.2
_MOST_COVERED = 0.3
"""No added thing hides more than this share of a picture's edges, and no opaque one than that."""

_MOST_COLOURS = 1000  # places, by which a change of the whole is fitted

_OTHER_COLOUR = 20.0
"""Distance in a and b of CIE Lab from which a colour is another."""

_MORE_LIGHT = 1.1
"""Gain of the levels from which the whole has another light."""

_OTHER_LEVEL = 32.0
_MOST_OTHER_LEVELS = 0.1
"""Share of the places that may be so many levels, of 255, from what another light makes of them."""

_MOST_TINT = 30.0
"""Distance in a and b of CIE Lab by which a tint of the whole moves a colour at most."""

_DEAR_TINTS = np.array([0.0, 0.01, 0.01, 0.01, 0.01])
"""So that saturation explains what it can, and no two tints that are large and opposite."""

_COLOURED = 10.0
"""Chroma in CIE Lab from which a place has a colour."""


class Contradictions(NamedTuple):
    """What two pictures have of their own, in the frame of the coarser, at half the view's size."""

    share: float
    """0 to 1: of what either shows, how much the other contradicts; that of the lesser side."""
    own_reference: ndarray
    """bool (height, width): places where only the reference has something."""
    own_query: ndarray
    """bool (height, width): places where only the query has something."""
    recoloured: ndarray
    """bool (height, width): places where both have a colour, and not the same."""
    to_reference: ndarray
    """float (3, 3): from pixels of the frame to those of the reference."""
    to_query: ndarray
    """float (3, 3): from pixels of the frame to those of the query."""


@checked
def contradiction_distance(
    a: Looks,
    b: Looks,
    *,
    ratio: Annotated[float, between(0.01, 1)] = 0.85,
    orientations: Orientations = 1,
) -> float | None:
    """Return how much two pictures contradict each other, 0 to 1; None where nothing says.

    1 where nothing of one fits the other (:data:`simlab.methods.frames.RELATED`). Nothing says
    where there are hardly any edges.

    Not symmetric, as :func:`simlab.methods.alignment.aligned_distance` is not.

    Args:
        orientations: as :func:`simlab.methods.frames.likely_transforms` takes it.
    """
    transforms = likely_transforms(a, b, ratio, orientations=orientations)
    if not transforms:
        return 1.0
    found = _least(a, b, transforms)
    if found is None:
        return None
    return round(found.share, 6)


def contradictions(a: Looks, b: Looks) -> Contradictions | None:
    """Return what the pictures of two features contradict each other in.

    None if nothing of one fits the other, or nothing says.
    """
    return _least(a, b, likely_transforms(a, b, 0.85, orientations=8))


def _least(a: Looks, b: Looks, transforms: list[ndarray]) -> Contradictions | None:
    """What they contradict each other in, in the frame that explains most of them.

    Of frames that explain about as much it is that in which they contradict each other least.
    """
    frames = _frames(a, b, transforms)
    frames.sort(key=lambda frame: -frame.explained)
    least = None
    for frame in frames:
        if frame.explained < _ABOUT_AS_MUCH * frames[0].explained:
            break
        found = _contradictions_in(frame)
        if found is None:
            continue
        if least is None or found.share < least.share:
            least = found
        if least.share <= _NONE:
            break
    return least


def _frames(a: Looks, b: Looks, transforms: list[ndarray]) -> list[Frame]:
    """The likeliest frames, up to the first that explains nearly all."""
    frames = []
    for transform in transforms[:_MOST_FRAMES]:
        frame = common_frame(a, b, transform)
        frames.append(frame)
        if frame.explained > _NEARLY_ALL:
            break
    return frames


def _contradictions_in(frame: Frame) -> Contradictions | None:
    """What the pictures contradict each other in, in one frame; None where there is too little."""
    if frame.both.sum() < _LEAST_PIXELS:
        return None
    edges = [_edges(frame.first), _edges(frame.second)]
    both = _halved(frame.both)
    things = []
    for own, other in (edges, edges[::-1]):
        found = _things(own, other, frame.both)
        if found is None:
            return None
        things.append(found)
    covered = [_opaque(*things, both), _opaque(*things[::-1], both)]
    # the colour of what is laid over a place is not that of the place
    in_view = ~(things[0].places | things[1].places | covered[0] | covered[1])
    recoloured = _recoloured(frame, both & in_view)
    first = _contradicted(things[0], things[1], both, covered[0])
    second = _contradicted(things[1], things[0], both, covered[1])
    share = min(first, second) + recoloured.sum() / max(1, both.sum())
    own_places = [thing.places & both for thing in things]
    pixels = [of_view @ _FROM_HALF for of_view in to_pixels(frame)]
    if frame.swapped:
        own_places.reverse()
        pixels.reverse()
    return Contradictions(min(1.0, float(share)), *own_places, recoloured, *pixels)


_FROM_HALF = np.array([[2.0, 0, 0.5], [0, 2.0, 0.5], [0, 0, 1.0]])
"""From pixels of half the size to those of a view."""


def _halved(mask: ndarray) -> ndarray:
    """A mask at half the size: where one of four pixels is in it, it is the first."""
    height, width = mask.shape
    return mask[: height // 2 * 2 : 2, : width // 2 * 2 : 2]


def _means(values: ndarray) -> ndarray:
    """Values at half the size: the mean of each four."""
    height, width = values.shape
    even = values[: height // 2 * 2, : width // 2 * 2]
    return cv2.resize(even, (width // 2, height // 2), interpolation=cv2.INTER_AREA)


class _Edges(NamedTuple):
    """Gradients of a picture, in grey levels a pixel."""

    across: ndarray
    down: ndarray
    strength: ndarray


def _edges(grey: ndarray) -> _Edges:
    smooth = cv2.GaussianBlur(grey, (0, 0), _EVEN)
    across = cv2.Scharr(smooth, cv2.CV_32F, 1, 0, scale=1 / 32)
    down = cv2.Scharr(smooth, cv2.CV_32F, 0, 1, scale=1 / 32)
    return _Edges(across, down, cv2.magnitude(across, down))


class _Things(NamedTuple):
    """What one picture has that the other lacks, at half the size."""

    edges: ndarray
    """float32: strength of its edges, 0 elsewhere."""
    missing: ndarray
    """bool: those of its edges that belong to a thing that the other lacks."""
    places: ndarray
    """bool: the places of such things."""


def _things(own: _Edges, other: _Edges, both: ndarray) -> _Things | None:
    """What a picture has that the other lacks; None where it has hardly any edges."""
    strengths = own.strength[::2, ::2][both[::2, ::2]]
    rank = int((1 - _EDGES) * (len(strengths) - 1))
    faintest = max(_FAINT, float(np.partition(strengths, rank)[rank]))
    is_edge = both & (own.strength > faintest)
    if np.count_nonzero(is_edge) < _LEAST_EDGES:
        return None
    found = _found_again(own, other)
    # blur and contrast change all edges alike; every other row says by how much
    some = found[::2][is_edge[::2]]
    usual = min(1.2, max(0.3, float(np.partition(some, len(some) // 2)[len(some) // 2])))
    strong = cv2.copyTo(np.minimum(own.strength, _STRONGEST), is_edge.astype(np.uint8))
    is_gone = cv2.compare(found, _KEPT * usual, cv2.CMP_LE)
    edges = _means(strong)
    gone = _means(cv2.copyTo(strong, is_gone))
    gone_around = cv2.GaussianBlur(gone, (0, 0), _AROUND / 2)
    edges_around = cv2.GaussianBlur(edges, (0, 0), _AROUND / 2)
    missing = (edges > 0) & (gone_around > _MISSING * edges_around)
    return _Things(edges, missing, _places(missing))


_DIRECTIONS = 8


def _found_again(own: _Edges, other: _Edges) -> ndarray:
    """For each gradient the largest of the other's in its direction, within a pixel, by its own."""
    steps = cv2.phase(own.across, own.down) * (_DIRECTIONS / (2 * math.pi))
    nearest = np.rint(steps).astype(np.uint8) % _DIRECTIONS
    across = _in_eighths(other.across)
    down = _in_eighths(other.down)
    most = _in_eighths(0.8 * other.strength)  # a gradient that points elsewhere is another edge
    largest = np.zeros(across.shape, np.int16)
    for direction in range(_DIRECTIONS):
        angle = 2 * math.pi * direction / _DIRECTIONS
        along = cv2.addWeighted(across, math.cos(angle), down, math.sin(angle), 0)
        there = cv2.copyTo(along, cv2.compare(along, most, cv2.CMP_GE))
        nearby = cv2.dilate(there, _NEIGHBOURS)
        cv2.copyTo(nearby, cv2.compare(nearest, direction, cv2.CMP_EQ), largest)
    return largest / (8 * own.strength + 1e-5)


_NEIGHBOURS = np.ones((3, 3), np.uint8)


def _in_eighths(levels: ndarray) -> ndarray:
    """Grey levels in eighths, int16, which take half the time."""
    return np.rint(8 * levels).astype(np.int16)


_JOINING = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))


def _places(missing: ndarray) -> ndarray:
    """The places of things: near parts joined; small rests of edges are none."""
    rim = 4
    padded = cv2.copyMakeBorder(
        missing.astype(np.uint8), rim, rim, rim, rim, cv2.BORDER_CONSTANT, value=0
    )
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, _JOINING)[rim:-rim, rim:-rim]
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(joined)
    is_large = boxes[:, cv2.CC_STAT_AREA] >= _LEAST_AREA
    is_large[0] = False
    return is_large[numbers]


def _contradicted(own: _Things, other: _Things, both: ndarray, opaque: ndarray) -> float:
    """Share of a picture's edges that the other contradicts.

    What the other's things hide does not count: under an opaque one, all of it; under another, as
    much as lies around.

    Args:
        opaque: bool (height, width), where there is such a one.
    """
    total = float(own.edges.sum())
    gone = own.edges * own.missing
    in_frame = _in_frames(own, other, both)
    laid_over = other.places & ~in_frame
    opaque = opaque & ~in_frame
    under_opaque = float(gone[opaque].sum()) / total
    in_the_open = float(gone[~laid_over & ~opaque].sum()) / total
    under_things = float(gone[laid_over & ~opaque].sum()) / total
    hidden = 0.0
    if under_things:
        free = both & ~own.places & ~other.places
        known = cv2.GaussianBlur(free.astype(np.float32), (0, 0), 4) + 1e-3
        around = cv2.GaussianBlur(own.edges * free, (0, 0), 4) / known
        expected = float(around[laid_over & both].sum()) / total
        hidden = min(_MOST_HIDDEN, _HIDDEN * expected)
    under_opaque = max(0.0, under_opaque - _MOST_COVERED)
    return in_the_open + under_opaque + max(0.0, under_things - hidden)


def _in_frames(own: _Things, other: _Things, both: ndarray) -> ndarray:
    """Which places of the other's things fill a frame that both pictures have: bool (h, w).

    What is laid over a picture brings an outline of its own. Where the outline is an edge of both,
    with nothing around it, as that of a photograph on a page is, another content is in its place.
    """
    found = np.zeros(own.missing.shape, dtype=bool)
    kept = (own.edges > 0) & ~own.missing
    near_kept = _widened(kept, 7, 7)
    _, numbers, boxes, _ = cv2.connectedComponentsWithStats(other.places.astype(np.uint8))
    for number in np.flatnonzero(boxes[:, cv2.CC_STAT_AREA] > _LEAST_FRAMED * found.size):
        place = numbers == number
        if number == 0 or not (own.missing & place).any():
            continue
        outline = place & ~_narrowed(place)
        around = _widened(place, 19, 19) & ~_widened(place, 11, 11)
        in_view = around & both
        is_framed = near_kept[outline].mean() > _FRAMED
        is_seen = in_view.any() and in_view.sum() > _MOST_SEEN * around.sum()
        if is_framed and is_seen and kept[in_view].mean() < _MOST_AROUND:
            found |= place
    return found


_LEAST_FRAMED = 0.01
_FRAMED = 0.8
"""Share of an outline that is an edge of both pictures, for a thing to be in a frame."""
_MOST_SEEN = 0.5
"""Share of what is around it that both pictures must show."""
_MOST_AROUND = 0.1
"""Share of what is around a frame that are edges at most."""


def _narrowed(mask: ndarray) -> ndarray:
    return cv2.erode(mask.astype(np.uint8), _NEIGHBOURS) > 0


def _opaque(own: _Things, other: _Things, both: ndarray) -> ndarray:
    """Where something opaque of the other lies, such as a bar or a sticker: bool (height, width).

    It is a bar, or enclosed by the other's things, or by these and the border; nothing of this
    picture is left in it; and its rim is not where this picture has a thing as well, as a label is
    that was printed otherwise.
    """
    enclosed = (both & ~other.places).astype(np.uint8)
    n_regions, numbers, boxes, _ = cv2.connectedComponentsWithStats(enclosed, connectivity=4)
    edges = np.bincount(numbers.ravel(), own.edges.ravel(), n_regions)
    gone = np.bincount(numbers.ravel(), (own.edges * own.missing).ravel(), n_regions)
    share = boxes[:, cv2.CC_STAT_AREA] / both.sum()
    is_candidate = (gone >= _OPAQUE * edges) & (edges > 0)
    is_candidate &= (share > _LEAST_OPAQUE) & (share < _MOST_OPAQUE)
    is_candidate[0] = False
    # where both have a bar, neither is what only one of them has
    found = _bars(own, other, both) & ~_bars(other, own, both)
    near_own = _widened(own.missing, 3, 3)
    for number in np.flatnonzero(is_candidate):
        region = numbers == number
        wider = _widened(region, 7, 7)
        rim = wider & other.missing
        if rim.any() and near_own[rim].mean() < 0.5:
            found |= wider & (region | other.places)
    return found


def _widened(mask: ndarray, high: int, wide: int) -> ndarray:
    """A mask with what lies around it, bool: a rectangle of pixels in place of each."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((high, wide), np.uint8)) > 0


def _bars(own: _Things, other: _Things, both: ndarray) -> ndarray:
    """Where bars of the other may lie across all of the picture: bool (height, width)."""
    upright = _level_bars(_turned(own), _turned(other), both.T).T
    return _level_bars(own, other, both) | upright


def _level_bars(own: _Things, other: _Things, both: ndarray) -> ndarray:
    """The same, of those from left to right.

    Lettering on a bar joins its edges, so that they enclose nothing, and looks like some of what
    was there: the two lines tell. Lettering alone leaves a margin.
    """
    found = np.zeros(both.shape, dtype=bool)
    near_own = _widened(own.missing, 3, 3)
    # where something of this picture was, no line may be seen
    lines = _lines(other.missing, both, hidden=near_own)
    if not lines.any():
        return found
    rows = np.flatnonzero(both.any(axis=1))
    lines[[rows[0], rows[-1]]] = True
    gone = own.edges * own.missing
    for top, bottom in itertools.pairwise(np.flatnonzero(lines)):
        inside = slice(top + 2, bottom - 1)
        edges = own.edges[inside].sum()
        share = both[inside].sum() / both.sum()
        is_opaque = 0 < _MISSING * edges <= gone[inside].sum()
        if is_opaque and _LEAST_OPAQUE < share < _MOST_OPAQUE:
            found[max(0, top - 3) : bottom + 4] = True
    return found & both


_ACROSS = 0.8
_HALF_ACROSS = 0.5
"""Least shares of a row that a line across all of the picture has, and shows."""


def _lines(missing: ndarray, both: ndarray, *, hidden: ndarray) -> ndarray:
    """Which rows are a line from end to end, within a pixel: bool (height,).

    Args:
        hidden: where it may not be seen: half of it must be, and its ends.
    """
    near = both & _widened(missing, 3, 1)
    rim = missing.shape[1] // 20
    everything = slice(None)
    is_line = both.any(axis=1)
    for part, there, least in (
        (everything, near, _HALF_ACROSS),
        (everything, near | (hidden & both), _ACROSS),
        (slice(rim), near, _ACROSS),
        (slice(-rim, None), near, _ACROSS),
    ):
        is_line &= there[:, part].sum(axis=1) >= least * both[:, part].sum(axis=1)
    return is_line


def _turned(things: _Things) -> _Things:
    """The same with rows as columns."""
    return _Things(*(np.ascontiguousarray(part.T) for part in things))


def _recoloured(frame: Frame, usable: ndarray) -> ndarray:
    """Where both have a colour, and not the same, after a change of colour of the whole.

    Args:
        usable: bool, where to look, at half the size of the view; so is what is returned.
    """
    first, second = frame.coarse.colour, frame.fine.colour
    height, width = first.shape[:2]
    to_small = resized(frame.coarse.view, first) @ frame.to_first @ resized(second, frame.fine.view)
    laid_rgb = warped(second, to_small, first.shape, borderMode=cv2.BORDER_REPLICATE)
    chosen = cv2.resize(usable.astype(np.uint8), (width, height), interpolation=cv2.INTER_AREA)
    # a pixel of the small picture holds something of its neighbours
    chosen = cv2.erode(chosen, _NEIGHBOURS)
    chosen = (chosen > 0) & (_clipped(first) == _clipped(laid_rgb))
    if np.count_nonzero(chosen) < _LEAST_EDGES:
        return np.zeros(usable.shape, dtype=bool)
    laid = warped(_lab(second), to_small, first.shape, borderMode=cv2.BORDER_REPLICATE)
    differs = _is_other_colour(_lab(first), laid, chosen)
    if differs.any():
        differs &= ~_light_explains(first, laid_rgb, chosen)
    differs = differs.astype(np.uint8)
    return cv2.resize(differs, usable.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0


def _clipped(rgb: ndarray) -> ndarray:
    """Where a channel is at its end: there a colour may have been lost."""
    return rgb.max(axis=2) >= 250


def _lab(rgb: ndarray) -> ndarray:
    """CIE Lab, float32; smoothed, since JPEG keeps colour at half the size."""
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    return cv2.GaussianBlur(lab, (0, 0), 0.8)


def _is_other_colour(first: ndarray, second: ndarray, chosen: ndarray) -> ndarray:
    """Which of the chosen places have another colour, bool (h, w), from Lab (h, w, 3).

    A change of the whole (:func:`_tints`) is fitted robustly, and explains what it can: but no
    colour turns into its opposite by it, and a tint moves none far. Else goods on white, which have
    hardly any other colour, could be told from their own recoloured ones by nothing. A colour is
    another where no mixture of those within a pixel is near it: at the border of two colours half a
    pixel is much.
    """
    chroma = [np.hypot(lab[..., 1], lab[..., 2]) for lab in (first, second)]
    has_colour = chosen & (np.minimum(*chroma) > _COLOURED)
    if not has_colour.any():
        return has_colour
    # what lost its colours, as an old photograph has, says nothing of what they were
    vivid, pale = first, second
    if chroma[0][chosen].sum() < chroma[1][chosen].sum():
        vivid, pale = second, first
    change = _change_of_the_whole(vivid[chosen], pale[chosen])
    coloured = _tints(vivid)
    tint = coloured[..., 1:] @ change[1:]
    tint *= np.minimum(1, _MOST_TINT / (np.hypot(*tint) + 1e-9))
    expected = coloured[..., 0] * max(0.0, change[0]) + tint
    return has_colour & (_colours_apart(expected, pale) > _OTHER_COLOUR)


def _colours_apart(expected: ndarray, lab: ndarray) -> ndarray:
    """How far Lab (h, w, 3) is from a and b as expected, (2, h, w), or from those of neighbours."""
    outside = []
    for wanted, found in zip(expected, (lab[..., 1], lab[..., 2])):
        least = cv2.erode(wanted, _NEIGHBOURS)
        most = cv2.dilate(wanted, _NEIGHBOURS)
        outside.append(np.maximum(0, np.maximum(least - found, found - most)))
    return np.hypot(*outside)


def _light_explains(first: ndarray, second: ndarray, chosen: ndarray) -> ndarray:
    """Where more light makes the colours of one of the other's, bool (h, w), both RGB (h, w, 3).

    Brighter, or in more contrast, a channel comes to its end before the others, and that makes
    other colours: orange becomes yellow, and a dark grey blue. It is light only where it explains
    nearly all levels: goods in another colour have the background of before.
    """
    gain, offset = _change_of_light(first[chosen], second[chosen])
    if gain < 1:
        # what was cut off cannot be made again
        first, second = second, first
        gain, offset = _change_of_light(first[chosen], second[chosen])
    expected = np.clip(gain * first + offset, 0, 255)
    is_other_level = np.abs(expected - second).max(axis=2) > _OTHER_LEVEL
    if gain < _MORE_LIGHT or is_other_level[chosen].mean() > _MOST_OTHER_LEVELS:
        return np.zeros(chosen.shape, dtype=bool)
    colours = np.moveaxis(_lab(expected)[..., 1:], 2, 0)
    return _colours_apart(colours, _lab(second)) <= _OTHER_COLOUR


def _change_of_light(first: ndarray, second: ndarray) -> tuple[float, float]:
    """Gain and offset by which levels of the one become the other's; 1, 0 where none are seen."""
    levels = np.column_stack([first.ravel(), second.ravel()]).astype(np.float32)
    is_cut_nowhere = (levels.min(axis=1) > 5) & (levels.max(axis=1) < 250)
    levels = levels[is_cut_nowhere][:: 1 + len(levels) // _MOST_COLOURS]
    if len(levels) < _LEAST_EDGES:
        return 1.0, 0.0
    run, rise, x, y = cv2.fitLine(levels, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel()
    gain = float(rise / (run + 1e-9))
    return gain, float(y - gain * x)


def _change_of_the_whole(vivid: ndarray, pale: ndarray) -> ndarray:
    """How much of each tint (:func:`_tints`) makes one of the other, from Lab (n, 3): (5,)."""
    # a part of the places says how the whole was changed
    some = slice(None, None, 1 + len(vivid) // _MOST_COLOURS)
    basis = np.concatenate(_tints(vivid[some]))
    wanted = pale[some, 1:].T.ravel().astype(float)
    weight = np.ones(len(wanted))
    for _ in range(4):
        weighed = basis * weight[:, None]
        penalty = np.diag(_DEAR_TINTS * weight.sum() + 1e-2)
        change = np.linalg.solve(basis.T @ weighed + penalty, weighed.T @ wanted)
        rest = (wanted - basis @ change).reshape(2, -1)
        weight = np.tile(1 / (1 + (np.hypot(*rest) / 8) ** 2), 2)
    return change


def _tints(lab: ndarray) -> ndarray:
    """What a change of the whole is made of, for a and for b, float (2, …, 5), of Lab (…, 3).

    It is one of saturation, and for either one of tint by lightness and of tint.
    """
    tints = np.zeros((2, *lab.shape[:-1], 5))
    for row in range(2):
        tints[row, ..., 0] = lab[..., 1 + row]
        tints[row, ..., 1 + 2 * row] = lab[..., 0] / 50
        tints[row, ..., 2 + 2 * row] = 1
    return tints


register("contradiction", alignment.looks, distance=contradiction_distance, **alignment.OF_LOOKS)
