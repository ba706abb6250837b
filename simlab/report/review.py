"""What a search found as data that a page and a widget show alike: pictures, groups and pairs.

Thumbnails, matches and places cost time: they are made apart, and kept in a cache.
"""

import functools
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy import ndarray
from pandas import DataFrame

from simlab.cards import jpeg, no_picture, small_copy
from simlab.images import ImageError, Picture, read_bytes, read_image
from simlab.messages import counted
from simlab.methods import keypoints, registry
from simlab.methods.alignment import Looks
from simlab.methods.keypoints import Keypoints
from simlab.methods.overlap import transform_of
from simlab.methods.packing import pack, unpack
from simlab.methods.places import KINDS, places_of, sentence
from simlab.methods.registry import Feature
from simlab.moving.plan import DROP, PLAN_COLUMNS
from simlab.paths import Json
from simlab.scoring.cache import key
from simlab.scoring.features import Store, Variant
from simlab.search.judging import COPY, IDENTICAL
from simlab.search.leaks import edit_of
from simlab.tables import SIDES, Pair, Row, components

SIDE = 256
"""Longer side of a thumbnail, in pixels."""

_LINES = 40  # of the matches of a pair
_BOXES = 30  # of the places of a pair
_NOTHING = np.zeros((0, 0), np.int64)
_CHAINED = "Some are no copies of each other: they are joined only through others."
_PARTIAL = "So many look alike that only candidates were compared: some may be missing."

Rename = Callable[[str], str]


def review_data(
    pairs: DataFrame,
    groups: DataFrame,
    lookalikes: DataFrame,
    plan: DataFrame,
    root: Path,
) -> Json:
    """Return what is to be reviewed, as JSON can hold it: copies first, by what they would save.

    Pictures are numbered; their names are relative to the plan's root.

    Args:
        pairs: as from :func:`simlab.find_copies`, with paths relative to `root`.
        groups, lookalikes: as from :func:`simlab.group`, of copies and of look-alikes.
        plan: as from :func:`simlab.make_plan`.
    """
    # a CSV knows no empty text
    pairs = pairs.assign(agreed=pairs["agreed"].astype(object).fillna(""))
    folder = plan["root"].iloc[0] if len(plan) else os.path.abspath(root)

    @functools.cache  # a picture stands in many pairs
    def renamed(file: str) -> str:
        whole = os.path.join(os.path.abspath(root), file)
        return Path(os.path.relpath(whole, folder)).as_posix()

    shown = lookalikes[lookalikes["file"] == lookalikes["copy_of"]]
    shown = shown.assign(name=shown["file"].map(renamed))
    names = list(dict.fromkeys([*plan["file"], *shown["name"]]))
    number = {name: place for place, name in enumerate(names)}
    sha256 = dict(zip(plan["file"], plan["sha256"]))
    sizes, dates = _sizes_and_dates(folder, names)
    pixels = _pixels(pairs, renamed)
    copies = list(_groups_of_copies(plan, groups, number))
    copies.sort(key=lambda group: -_saving(group, sizes))
    found = list(_pairs(pairs, renamed, number))
    return {
        "root": folder,
        "columns": list(PLAN_COLUMNS),
        "files": {
            "name": names,
            "bytes": sizes,
            "date": dates,
            "pixels": [pixels.get(name, 0) for name in names],
            "sha256": [sha256.get(name, "") for name in names],
        },
        "groups": [*copies, *_groups_of_look_alikes(shown, lookalikes, number)],
        "pairs": found,
        "same": _same(found, len(names)),
    }


def _same(pairs: Sequence[list], n_files: int) -> list[int]:
    """For each picture one that stands for all that are identical to it."""
    identical = [pair[:2] for pair in pairs if pair[2] == IDENTICAL]
    return components(identical, n_files).tolist()


def _sizes_and_dates(folder: str, names: Sequence[str]) -> tuple[list[int], list[int]]:
    """Bytes, and seconds since 1970 at which it was changed, of each file; 0 where it is gone."""
    sizes = []
    dates = []
    for name in names:
        try:
            status = os.stat(os.path.join(folder, name))
        except OSError:
            sizes.append(0)
            dates.append(0)
        else:
            sizes.append(status.st_size)
            dates.append(int(status.st_mtime))
    return sizes, dates


def _pixels(pairs: DataFrame, renamed: Rename) -> dict[str, int]:
    """How many each picture has, where a search noted it."""
    pixels = {}
    for side in SIDES:
        if f"pixels_{side}" in pairs:
            pixels |= dict(zip(pairs[side].map(renamed), pairs[f"pixels_{side}"].tolist()))
    return pixels


def _groups_of_copies(plan: DataFrame, groups: DataFrame, number: dict[str, int]) -> Iterator[Json]:
    is_chained = groups.groupby("group")["chained"].first()
    for which, members in plan.groupby("group"):
        files = [number[name] for name in members["file"]]
        yield {
            "number": int(which),
            "alike": False,
            "files": files,
            "values": members["decision"].tolist(),
            "reasons": members["reason"].tolist(),
            "against": files[:1] * len(files),
            "note": _CHAINED if is_chained[which] else "",
        }


def _groups_of_look_alikes(
    shown: DataFrame, lookalikes: DataFrame, number: dict[str, int]
) -> Iterator[Json]:
    n_all = lookalikes["group"].value_counts()
    for which, members in shown.groupby("group"):
        files = [number[name] for name in members["name"]]
        notes = []
        n_copies = n_all[which] - len(members)
        if n_copies:
            notes.append(f"{counted(n_copies, 'copy', 'copies')} of these not shown.")
        if members["partial"].any():
            notes.append(_PARTIAL)
        yield {
            "number": int(which),
            "alike": True,
            "files": files,
            "values": [""] * len(files),
            "reasons": [""] * len(files),
            "against": files[:1] * len(files),
            "note": " ".join(notes),
        }


def _saving(group: Json, sizes: Sequence[int]) -> int:
    """Bytes of what is proposed to be dropped."""
    decisions = zip(group["files"], group["values"])
    return sum(sizes[file] for file, decision in decisions if decision == DROP)


def _pairs(pairs: DataFrame, renamed: Rename, number: dict[str, int]) -> Iterator[list]:
    """Two pictures, their verdict, what they are in words, how the second was made of the first,
    and the transform that lays it on that, nine numbers; None where nothing says.
    """
    for row in pairs.to_dict("records"):
        reference = number.get(renamed(row["reference"]))
        query = number.get(renamed(row["query"]))
        if reference is not None and query is not None:
            edit = edit_of(row).replace("the training picture", "it")
            transform = transform_of(row)
            laid = None if transform is None else transform.ravel().tolist()
            yield [reference, query, row["verdict"], _in_words(row), edit, laid]


def _in_words(row: Row) -> str:
    if row["same_file"]:
        return "The same file, byte for byte"
    if row["verdict"] == IDENTICAL:
        return "Equal pixels"
    chance = "over 0.9999"
    if row["probability"] < 0.9999:
        chance = f"{row['probability']:.4f}"
    what = "Copy" if row["verdict"] == COPY else "Look-alike"
    speakers = _short(row["agreed"]) or "no single method"
    return f"{what}, probability {chance}; for a copy speak {speakers}"


def _short(agreed: str) -> str:
    """The methods without their arguments, where these are not needed to tell them apart."""
    names = agreed.split(";")
    short = [name.partition("(")[0] for name in names]
    is_clear = len(set(short)) == len(short)
    return ", ".join(short if is_clear else names)


def make_thumbnail(image: Picture, side: int = SIDE) -> tuple[ndarray, ndarray]:
    """Return a small JPEG of a picture, uint8 (n,), and the picture's width and height."""
    small = jpeg(small_copy(image, side), quality=75)
    return np.frombuffer(small, np.uint8), np.array(image.size)


def shown(path: Path, side: int = SIDE) -> tuple[bytes, list[int]]:
    """Return a small JPEG of a picture file, and its width and height.

    It is a grey one, and these are 0, where it cannot be read.
    """
    try:
        image = read_image(read_bytes(path), name=path)
    except ImageError:
        grey, _ = make_thumbnail(no_picture())
        return grey.tobytes(), [0, 0]
    data, size = make_thumbnail(image, side)
    return data.tobytes(), size.tolist()


THUMBNAIL = Feature(f"thumbnail {SIDE}", make_thumbnail, {})
"""A small copy; none of a flat picture."""


def thumbnails(store: Store, names: Sequence[str]) -> Iterator[tuple[bytes, list[int]]]:
    """Yield of each picture a small JPEG, and its width and height, 0 where it cannot be read."""
    wanted = [(Variant(name), THUMBNAIL) for name in names]
    store.make(wanted)
    found = store.get(wanted)
    for name, side in zip(names, wanted):
        if found.get(side):
            data, size = unpack(found[side])
            yield data.tobytes(), size.tolist()
        else:  # it is flat, or gone
            yield shown(store.root / name)


def compared_pairs(data: Json) -> list[tuple[int, int]]:
    """Return the pairs that a click shows first: of each group the one to keep, and the others."""
    pairs = []
    for group in data["groups"]:
        first = group["files"][0]
        pairs.extend((first, other) for other in group["files"][1:])
    return pairs


def matches(store: Store, pairs: Sequence[Pair]) -> list[ndarray]:
    """Return of each pair up to 40 of the matches that agree on one geometry.

    A match is x and y in the first picture and in the second, in thousandths of the sides, int
    (n, 4).
    """
    return _of_pairs(store, pairs, "matches", _matched)


def places(store: Store, pairs: Sequence[Pair]) -> list[Json | None]:
    """Return of each pair where its pictures contradict each other; None where nothing says.

    Returns:
        Of a pair ``words``, a sentence about the first and the second, and one about the second and
        the first; and ``boxes``, the largest first: what each is (a number in
        :data:`simlab.methods.places.KINDS`), then left, top, right and bottom in the first picture
        and in the second, in thousandths of the sides.
    """
    # what contradicts changes with the method, though the features stay
    name = f"places {registry.get('contradiction').compared_as}"
    return [_told(found) for found in _of_pairs(store, pairs, name, _located)]


def places_of_two(first: Looks, second: Looks) -> Json | None:
    """Return the same of two pictures, from what is kept of them."""
    return _told(_located(first, second))


def _told(found: ndarray) -> Json | None:
    if not found.shape[1]:
        return None
    kinds = pd.Series(np.array(KINDS, dtype=object)[found[:, 0]], name="kind", dtype=object)
    turned = kinds.replace({"reference": "query", "query": "reference"})
    words = [sentence(of_side.to_frame()) for of_side in (kinds, turned)]
    return {"words": words, "boxes": found[:_BOXES].tolist()}


def _of_pairs(
    store: Store,
    pairs: Sequence[Pair],
    what: str,
    work: Callable[[Looks, Looks], ndarray],
) -> list[ndarray]:
    """What is worked out of the looks of each pair, or was before; nothing where one has none."""
    feature = registry.get("aligned").feature  # the shipped recipe has it already
    store.read(itertools.chain.from_iterable(pairs))
    keys = []
    sides_of = {}
    for pair in pairs:
        sides = [(Variant(name), feature) for name in pair]
        both = [store.key(*side).hex() for side in sides if not store.error(side[0])]
        keys.append(key(what, *both))
        sides_of[keys[-1]] = sides
    found = store.cache.get(keys)
    missing = {its_key: sides for its_key, sides in sides_of.items() if its_key not in found}
    store.make(itertools.chain.from_iterable(missing.values()))
    made = {}
    for its_key, sides in missing.items():
        kept = store.get(sides)
        looks = [Looks._make(unpack(kept[side])) for side in sides if kept.get(side)]
        made[its_key] = pack(work(*looks) if len(looks) == 2 else _NOTHING)
    store.cache.put(made)
    found |= made
    return [unpack(found[its_key])[0] for its_key in keys]


def _located(first: Looks, second: Looks) -> ndarray:
    """The places of two pictures, int (n, 9); nothing where nothing says."""
    found = places_of(first, second)
    if found is None:
        return _NOTHING
    # left, top, right, bottom of either side
    sides = np.concatenate([np.tile(_size(looks), 2) for looks in (first, second)])
    shares = found.drop(columns="kind").to_numpy(float) / sides
    kinds = found["kind"].map(KINDS.index).to_numpy(int)[:, None]
    return np.hstack([kinds, np.rint(1000 * shares).astype(np.int64)])


def _size(looks: Looks) -> ndarray:
    """Width and height of the picture."""
    return np.array(looks.grey.shape[::-1]) / looks.scale


def _matched(first: Looks, second: Looks) -> ndarray:
    """The matches of two pictures, int (n, 4)."""
    left, right = keypoints.inliers(Keypoints._make(first[:4]), Keypoints._make(second[:4]))
    shares = []
    for looks, chosen in ((first, left), (second, right)):
        shares.append(looks.points[chosen] / _size(looks))
    step = max(1, math.ceil(len(left) / _LINES))
    ends = np.hstack(shares)[::step]
    return np.rint(1000 * ends).astype(np.int64)
