"""The copies of one picture in a gallery, found in steps: each costs more, and is taken in doubt.

The keypoints of a query are found, and candidates compared by them, only as far as the hashes leave
a doubt.
"""

import contextlib
import hashlib
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pandas import DataFrame

from simlab import specs
from simlab.cards import card
from simlab.datasets import as_table
from simlab.images import ImageError, read_bytes, read_image
from simlab.messages import counted
from simlab.methods.overlap import COLUMNS, feature, row_of
from simlab.methods.registry import Feature, Method
from simlab.paths import AnyPath, expanded
from simlab.scoring.cache import Cache, opened
from simlab.scoring.features import Readers
from simlab.scoring.one_pair import PIXELS, Features, LazyPicture, answers_of_many, needed
from simlab.search.indexes import BEST, build_indexes
from simlab.search.judging import (
    COPY,
    IDENTICAL,
    LOOK_ALIKE,
    Recipe,
    Rule,
    Strictness,
    judge_scores,
    loaded,
    stated_prior,
    stated_threshold,
    surest_first,
)
from simlab.search.library import SIZE_AND_DETAIL, Library, Picture, columns_of, picture_of
from simlab.search.lying import of_pictures

CLEAR = 1e-3
"""A copy at this distance ends a query that asks for one copy only."""

DOUBT = 0.99
"""A hash's candidate at this distance by all hashes, without votes, and that no hash calls alike
is not compared further."""


class Gallery:
    """Pictures in which the copies of another are looked for.

    Arguments are as in :func:`find_copies`. Keypoints stay in the cache, and are read for the
    pictures that a query is compared with; a cache that is passed open must stay so.

    Attributes:
        recipe: the ensemble that judges.
        library: what is known of the pictures.
        errors: file → why it is not in the gallery.
    """

    def __init__(
        self,
        images,
        recipe: Recipe = None,
        *,
        cache: Cache | AnyPath | None = None,
        n_jobs: int = -1,
        progress: bool = True,
        read: Readers = "caller",
    ):
        self.recipe = loaded(recipe)
        table = as_table(images)
        to_close = contextlib.ExitStack()
        kept = to_close.enter_context(opened(cache))
        weakref.finalize(self, to_close.close)  # a cache of its own, with the gallery
        options = {"n_jobs": n_jobs, "progress": progress, "read": read}
        self.library = Library(table, self.recipe, kept, **options)
        self._packed: dict[Feature, Sequence[bytes]] = {}
        for kind in (PIXELS, SIZE_AND_DETAIL, *needed(self.library.methods, query=False)):
            self._packed[kind] = self.library.packed(kind)
        # keypoints stay in the cache until a pair is compared
        by_hash = [method for method in self.library.methods if method.compare_many]
        for kind in (PIXELS, *needed(by_hash, query=False)):
            self._packed[kind] = list(self._packed[kind])
        self.errors = self.library.errors
        self._number_of = {}
        for number, alike in enumerate(self.library.alike):
            self._number_of |= dict.fromkeys(alike, number)
        self._indexes = build_indexes(self.library.methods, self._packed.__getitem__)

    def __repr__(self) -> str:
        unread = f"{len(self.errors):,} unreadable"
        return f"<Gallery: {counted(len(self._number_of), 'picture')}, {unread}>"

    def _repr_html_(self) -> str:
        lines = [
            f"{counted(len(self.library.files), 'different picture')} among them;"
            f" {len(self.errors):,} cannot be read (gallery.errors says why).",
            f"Judged by {self.recipe!r}",
        ]
        typed = ['gallery.query("picture.jpg", top=5)']
        return card(repr(self).strip("<>"), *lines, typed=typed)

    def query(
        self,
        image,
        *,
        top: int = 5,
        threshold: float | Strictness = 0.5,
        prior: float | None = None,
    ) -> DataFrame:
        """Return the pictures most likely to be copies of this one, surest first, however unlikely.

        Args:
            image: what :func:`simlab.read_image` takes.
            top: most pictures. 1 asks for one copy: the first that is clear (:data:`CLEAR`; with a
                guard, the first that it lets pass) ends the search, which is then faster.
            threshold: largest distance of a copy; in words as in :func:`find_copies`.
            prior: share of copies among the gallery's pictures; by default 1 / (pictures + 1).

        Returns:
            Column file, which is the reference; the others as in :func:`find_copies`, with the
            verdict "different" for what is neither a copy nor a look-alike. A distance is NaN where
            a picture was found to be a copy, or out of the question, before that method was asked;
            so is where the one lies in the other, where hashes alone gave the answer.

        Raises:
            ImageError: the picture cannot be used.
        """
        specs.check_count("top", top)
        query = Query(image)
        n_steps = 0
        for found in self.steps(query, top=top, threshold=threshold, prior=prior):
            n_steps += 1
            if top == 1 and self._is_clear(found):
                break
        if n_steps == 1:
            return found.head(top).reindex(columns=[*found, *COLUMNS])
        return self.with_overlaps(query, found.head(top))

    def with_overlaps(self, query: "Query", found: DataFrame) -> DataFrame:
        """Return candidates of a query with the columns of :func:`simlab.overlap`.

        They are NaN for what is no copy.
        """
        rows = []
        for file, verdict in zip(found["file"], found["verdict"]):
            row = row_of(None)
            if verdict in (IDENTICAL, COPY):
                # its file may be gone, though its features are not
                with contextlib.suppress(ImageError):
                    row = of_pictures(self._looks(file), query)
            rows.append(row)
        lying = DataFrame(rows, columns=COLUMNS)
        return found.assign(**lying.to_dict("list"))

    def _looks(self, file: str) -> Features:
        """What tells how a picture lies: kept, or of its file where the recipe does without."""
        looks = feature()
        if looks not in self._packed:
            return LazyPicture(read_image(self.library.store.root / file))
        number = self._number_of[file]
        return {kind: self._packed[kind][number] for kind in (looks, SIZE_AND_DETAIL)}

    def _is_clear(self, found: DataFrame) -> bool:
        """Whether a copy needs no further step: a guard must have been asked."""
        if found.empty:
            return False
        surest = found.iloc[0]
        guard = self.recipe.guard_
        if guard is None or surest["verdict"] == IDENTICAL:
            return bool(surest["distance"] <= CLEAR)
        return bool(surest["verdict"] == COPY and not np.isnan(surest[guard.method]))

    def steps(
        self,
        image,
        *,
        top: int = 5,
        threshold: float | Strictness = 0.5,
        prior: float | None = None,
        also: Collection[str] = (),
    ) -> Iterator[DataFrame]:
        """Yield all candidates of a query as they stand after each of three steps.

        First they are proposed and judged by hashes; then the one with most votes of keypoints is
        compared by all methods; then the others are. Arguments and columns as in :meth:`query`;
        `image` may be a :class:`Query` too, and `also` are files that are compared in any case.
        """
        specs.check_count("top", top)
        query = image if isinstance(image, Query) else Query(image)
        n_best = max(BEST, top)
        methods = self.library.methods
        by_hash = [method for method in methods if method.compare_many]
        by_keypoints = [method for method in methods if not method.compare_many]
        stated = stated_prior(prior, len(self.library.files) + 1)
        rule = Rule(self.recipe, stated, stated_threshold(threshold))

        pixels = query[PIXELS]
        equal = [number for number, other in enumerate(self._packed[PIXELS]) if other == pixels]
        near = dict.fromkeys([*equal, *self._proposed(query, by_hash, n_best)])
        rows = self._compared(query, near, by_hash)
        judged = self._judged(query, rows, rule)
        facts = {"root": str(self.library.store.root), "prior": stated}
        yield surest_first(judged, facts)

        voted = self._proposed(query, by_keypoints, n_best)
        is_doubtful = (judged["distance"] < DOUBT) | (judged["verdict"] == LOOK_ALIKE)
        doubtful = [self._number_of[file] for file in judged["file"][is_doubtful]]
        wanted = [self._number_of[file] for file in also if file in self._number_of]
        numbers = list(dict.fromkeys([*voted, *doubtful, *sorted(wanted)]))
        for part in (numbers[:1], numbers[1:]):
            rows |= self._compared(query, part, methods)
            yield surest_first(self._judged(query, rows, rule), facts)

    def _proposed(self, query: "Query", methods: list[Method], n: int) -> list[int]:
        """Numbers of pictures: by each method n at most, the nearest or with most votes first."""
        query.make(needed(methods, query=True))
        proposed = []
        for method, index in self._indexes:
            if method in methods:
                queries = [[query[feature]] for feature in method.features(query=True)]
                proposed.extend(index.candidates(queries, n=n).picture.tolist())
        return proposed

    def _compared(
        self, query: "Query", numbers: Collection[int], methods: list[Method]
    ) -> dict[int, dict[str, Any]]:
        """By number of a picture its distances, and which methods had no evidence."""
        query.make([SIZE_AND_DETAIL, *needed(methods, query=True)])
        kinds = [PIXELS, *needed(methods, query=False)]
        pictures = []
        for number in numbers:
            pictures.append({kind: self._packed[kind][number] for kind in kinds})
        rows = answers_of_many(methods, pictures, query)
        for picture, row in zip(pictures, rows):
            if picture[PIXELS] == query[PIXELS]:
                # all give 0, also those that are not asked yet
                row.update(dict.fromkeys(self.recipe.methods_, 0.0))
        return dict(zip(numbers, rows))

    def _judged(
        self, query: "Query", rows: Mapping[int, dict[str, Any]], rule: Rule
    ) -> dict[str, Any]:
        """A row for every file with the pixels of a compared picture."""
        files = []
        answers_of = []
        for number, row in rows.items():
            alike = self.library.alike[number]
            files.extend(alike)
            answers_of.extend([row] * len(alike))
        scores = {"file": np.array(files, dtype=object)}
        scores["no_evidence"] = np.array([row["no_evidence"] for row in answers_of], dtype=object)
        for name in self.recipe.methods_:
            scores[name] = np.array([row.get(name, np.nan) for row in answers_of], dtype=float)
        references = self.library.known(files)
        return judge_scores(scores, ["file"], references, columns_of([query.picture]), rule)


class Query(LazyPicture):
    """The picture that is looked for; its features are made when they are asked for.

    Attributes:
        file_digest: SHA-256 of its file; "" where it was handed over decoded.
    """

    def __init__(self, image):
        is_path = isinstance(image, AnyPath)
        data = read_bytes(expanded(image)) if is_path else image
        is_file = isinstance(data, bytes | bytearray | memoryview)
        self.file_digest = hashlib.sha256(data).hexdigest() if is_file else ""
        name = image if is_path else ""
        super().__init__(read_image(data, name=name), name)

    @property
    def picture(self) -> Picture:
        """What is known of it beside its features."""
        frames = self.image.info.get("frames", 1)
        sizes = self[SIZE_AND_DETAIL]
        return picture_of(self.name, self.file_digest, self[PIXELS], frames, sizes)
