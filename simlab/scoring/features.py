"""Features of many pictures and variants: made once, in parallel over sources, and kept in a cache.

The main process reads each file and hands its bytes to a worker, which decodes it once, makes the
variants one by one and returns features, never pictures. Workers therefore need no common disk, and
memory does not grow with the pictures. Where they have one, they may read the files themselves.
"""

import contextlib
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from simlab import perturb, specs
from simlab.datasets import as_table
from simlab.images import ImageError, Picture, is_tga, read_bytes, read_image
from simlab.messages import progress_bar
from simlab.methods import registry
from simlab.methods.packing import pack, unpack
from simlab.methods.registry import Feature, extract_all, versions
from simlab.paths import AnyPath, expanded
from simlab.scoring.cache import Cache, Memory, key, opened
from simlab.scoring.one_pair import PIXELS, needed
from simlab.scoring.workers import Died, check_jobs, in_words, run
from simlab.specs import Names
from simlab.tables import root_of


class Variant(NamedTuple):
    """A picture as a method sees it: a file, the spec applied to it, and which draw."""

    path: str
    perturbation: str = ""
    seed: int = 0


Readers: TypeAlias = Literal["caller", "workers"]
"""Who reads the files: the process that calls, or the workers, which must find them at the same
paths.
"""

Side: TypeAlias = tuple[Variant, Feature]
"""What is compared: a feature of a variant."""


def count_frames(image: Picture) -> np.ndarray:
    """Return how many frames or pages the file of a picture has, int64 (1,)."""
    return np.array([image.info.get("frames", 1)])


BATCH = 16
BATCH_PIXELS = 60_000_000
"""Pictures, and pixels, that a method which takes many is given at a time."""

FRAMES = Feature("frames", count_frames, {})
"""Frames of an animation or pages of a document, of which the picture is the first."""


class Store:
    """Features by (variant, feature), found in a cache or made.

    Args:
        root: folder that the paths of variants are relative to.
        cache: where features are kept, of this run or of many.
        n_jobs: processes, as joblib counts them: -1 is one per core. Inside
            ``joblib.parallel_config(backend="dask")`` the work goes to that cluster.
        progress: whether a progress bar is shown, where a terminal or notebook can show one.
        read: who reads the files.

    Attributes:
        contents: path → SHA-256 of the file, for those that could be read.
        errors: path of a file that cannot be read → the reason.
        failures: content that is no picture, or (content, perturbation, seed) that cannot be made
            → the reason; it holds for every path that has this content.
    """

    def __init__(
        self,
        root: AnyPath,
        cache: Cache | Memory,
        *,
        n_jobs: int = -1,
        progress: bool = True,
        read: Readers = "caller",
    ):
        check_jobs(n_jobs)
        if read not in ("caller", "workers"):
            raise ValueError(f"read must be 'caller' or 'workers', not {read!r}")
        self.workers_read = read == "workers"
        self.root = expanded(root)
        self.cache = cache
        self.n_jobs = n_jobs
        self.progress = progress
        self.contents = {}
        self.errors = {}
        self.failures = {}
        # path → what a picture depends on: the file's bytes, and whether its name makes it a TGA
        self._identities: dict[str, str] = {}
        self._chains = {"": (perturb.Chain("", ()), " ")}
        # by the feature's own key, a text: a dictionary is asked for it a million times
        self._keys: dict[tuple[Variant, str], bytes] = {}

    def read(self, paths: Iterable[str]) -> None:
        """Digest the files that were not read yet."""
        tasks = []
        for path in dict.fromkeys(paths):
            if path not in self.contents and path not in self.errors:
                tasks.append((path, (self.root / path,)))
        n_jobs = self.n_jobs if self.workers_read else 1
        with contextlib.closing(run(_digest, tasks, n_jobs=n_jobs)) as done:
            for path, content in done:
                if isinstance(content, _Unread | Died):
                    self.errors[path] = content
                    continue
                self.contents[path] = content
                self._identities[path] = f"{content}.tga" if is_tga(path) else content

    def data(self, path: str) -> "Data":
        """Return what a worker is given of a file: its bytes, or where it reads them."""
        file = self.root / path
        return file if self.workers_read else bytes_of(file)

    def make(self, wanted: Iterable[Side]) -> None:
        """Extract what the cache does not have; why some cannot be made, :meth:`error` says."""
        wanted = list(dict.fromkeys(wanted))
        self.read(variant.path for variant, _ in wanted)
        n_unreadable = len(self.errors)
        # of equal contents the last one is made
        by_key = {self.key(*side): side for side in wanted if not self.error(side[0])}
        present = self.cache.present(by_key)
        missing = [side for its_key, side in by_key.items() if its_key not in present]
        if missing:
            self._extract(missing)
        if len(self.errors) > n_unreadable:
            # a file vanished midway, and others of the same content were left to it
            self.make(wanted)

    def get(self, wanted: Iterable[Side]) -> dict[Side, bytes]:
        """Return packed features; ``b""`` is no evidence. What the cache lost is made again."""
        keys = {side: self.key(*side) for side in wanted if not self.error(side[0])}
        found = self.cache.get(keys.values())
        lost = [side for side, its_key in keys.items() if its_key not in found]
        for path, task in self._tasks(lost):
            found |= self._keep(path, _extract_source(*task))
        return {side: found[its_key] for side, its_key in keys.items() if its_key in found}

    def error(self, variant: Variant) -> str:
        """Return why a variant has no features; "" where it has."""
        if variant.path in self.errors:
            return self.errors[variant.path]
        if not self.failures:
            return ""
        identity = self._identities.get(variant.path, "")
        of_all = self.failures.get(identity, "")
        return of_all or self.failures.get((identity, variant.perturbation, variant.seed), "")

    def key(self, variant: Variant, feature: Feature) -> bytes:
        """Return the cache key of a feature of a variant whose file was read."""
        side = (variant, feature.key)
        if side not in self._keys:  # a picture stands in many pairs
            _, spec = self._chain(variant.perturbation)
            identity = self._identities[variant.path]
            self._keys[side] = key(identity, spec, str(variant.seed), feature.key, versions())
        return self._keys[side]

    def frames(self, paths: Iterable[str]) -> list[int | None]:
        """Return each file's number of frames or pages; None where :data:`FRAMES` was not made."""
        counts = []
        wanted = [(Variant(path), FRAMES) for path in paths]
        found = self.get(wanted)
        for pair in wanted:
            counts.append(int(unpack(found[pair])[0][0]) if pair in found else None)
        return counts

    def _chain(self, perturbation: str) -> tuple[perturb.Chain, str]:
        """The steps of a perturbation, and all that they depend on as a text for keys."""
        if perturbation not in self._chains:
            chain = perturb.parse(perturbation)
            steps = "+".join(specs.complete(step.kind, step.arguments) for step in chain.steps)
            version = f"perturb={perturb.VERSION}" if chain.steps else ""
            self._chains[perturbation] = chain, f"{steps} {chain.resources}{version}"
        return self._chains[perturbation]

    def _extract(self, missing: list[Side]) -> None:
        in_workers = [side for side in missing if not side[1].together]
        in_batches = [side for side in missing if side[1].together]
        n_pictures = 0
        for sides in (in_workers, in_batches):
            n_pictures += len({variant for variant, _ in sides})
        with progress_bar("features", n_pictures, "picture", shown=self.progress) as bar:
            in_parallel = run(_extract_source, self._tasks(in_workers), n_jobs=self.n_jobs)
            with contextlib.closing(in_parallel):
                together = _extract_in_batches(self._tasks(in_batches)) if in_batches else ()
                for path, made in itertools.chain(in_parallel, together):
                    self._keep(path, made)
                    bar.update(len(made) if isinstance(made, list) else 1)

    def _tasks(self, sides: Iterable[Side]) -> Iterator[tuple[str, tuple]]:
        """For each source its path and what a worker needs: the file's bytes, and what to make.

        The files are read again only when a worker is ready: memory holds a few at a time.
        """
        features: dict[Variant, list[Feature]] = defaultdict(list)
        for variant, feature in sides:
            features[variant].append(feature)
        jobs: dict[str, list[_Job]] = defaultdict(list)
        for variant, its_features in features.items():
            chain, _ = self._chain(variant.perturbation)
            jobs[variant.path].append(_Job(variant, chain, its_features))
        for path, its_jobs in jobs.items():
            yield path, (self.data(path), self.contents[path], its_jobs)

    def _keep(self, path: str, made: "list[_Made] | str") -> dict[bytes, bytes]:
        """Put what was made of a source into the cache, or note why nothing was; by key."""
        identity = self._identities[path]
        if isinstance(made, _Unread):
            self.errors[path] = made
            return {}
        if isinstance(made, str):
            self.failures[identity] = made
            return {}
        entries = {}
        for variant, features, error in made:
            for feature, value in features.items():
                entries[self.key(variant, feature)] = value
            if error:
                self.failures[identity, variant.perturbation, variant.seed] = error
        self.cache.put(entries)
        return entries


class _Job(NamedTuple):
    """One variant to make in a worker, and what to extract from it."""

    variant: Variant
    chain: perturb.Chain
    features: list[Feature]


class _Made(NamedTuple):
    """One variant's packed features; none, and why, where it could not be made."""

    variant: Variant
    features: dict[Feature, bytes]
    error: str


class _Waiting(NamedTuple):
    """A picture in a batch, and what is to be extracted from it."""

    path: str
    job: _Job
    picture: Picture


class _Unread(str):
    """Why a file cannot be read again: it vanished or changed; others of its content may not."""


Data: TypeAlias = bytes | Path | _Unread
"""What a worker is given of a file: its bytes, where it reads them, or why they cannot be read."""


def bytes_of(data: Data) -> bytes | _Unread:
    """Return the bytes of a file, which are read where only its path is given."""
    if not isinstance(data, Path):
        return data
    try:
        return read_bytes(data)
    except ImageError as error:
        return _Unread(error)


def _digest(file: Path) -> str:
    data = bytes_of(file)
    return data if isinstance(data, _Unread) else hashlib.sha256(data).hexdigest()


def _extract_source(data: Data, content: str, jobs: list[_Job]) -> list[_Made] | str:
    """Features of the variants of one source, or the reason why it cannot be read."""
    source = _decoded(data, content, jobs[0].variant.path)
    if isinstance(source, str):
        return source
    return [_extract_variant(*source, job) for job in jobs]


def _decoded(given: Data, content: str, path: str) -> tuple[Picture, bytes] | str:
    """A picture and the digest of its pixels, or the reason why it cannot be read."""
    data = bytes_of(given)
    if isinstance(data, _Unread):
        return data
    if hashlib.sha256(data).hexdigest() != content:
        return _Unread("the file changed while it was being read")
    try:
        image = read_image(data, name=path)
        return image, perturb.content_digest(image)
    except ImageError as error:
        return str(error)
    except MemoryError as error:
        return in_words(error)


def _extract_variant(source: Picture, digest: bytes, job: _Job) -> _Made:
    # a user's own method or perturbation may raise anything: one row, not the run
    try:
        picture = source
        pixels = digest
        if job.chain.steps:
            picture = job.chain.apply(source, job.variant.seed, digest)
            pixels = perturb.content_digest(picture)
        # these two every picture has, a flat one too
        packed = {PIXELS.key: pack(np.frombuffer(pixels, dtype=np.uint8))}
        if FRAMES in job.features:
            packed[FRAMES.key] = pack(count_frames(source))
        packed |= extract_all(picture, [f for f in job.features if f.key not in packed])
    except Exception as error:
        return _Made(job.variant, {}, in_words(error))
    return _Made(job.variant, {feature: packed[feature.key] for feature in job.features}, "")


def _extract_in_batches(
    tasks: Iterable[tuple[str, tuple]],
) -> Iterator[tuple[str, list[_Made] | str]]:
    """What :func:`_extract_source` gives, made in this process, of many pictures at a time."""
    batch = []
    for path, (data, content, jobs) in tasks:
        source = _decoded(data, content, path)
        if isinstance(source, str):
            yield path, source
            continue
        image, digest = source
        for job in jobs:
            try:
                picture = job.chain.apply(image, job.variant.seed, digest)
            except Exception as error:  # as in a worker: one row, not the run
                yield path, [_Made(job.variant, {}, in_words(error))]
                continue
            batch.append(_Waiting(path, job, picture))
            if _is_full(batch):
                yield from _extract_batch(batch)
                batch = []
    yield from _extract_batch(batch)


def _is_full(batch: "list[_Waiting]") -> bool:
    n_pixels = sum(one.picture.width * one.picture.height for one in batch)
    return len(batch) == BATCH or n_pixels > BATCH_PIXELS


def _extract_batch(batch: "list[_Waiting]") -> Iterator[tuple[str, list[_Made]]]:
    features = itertools.chain.from_iterable(one.job.features for one in batch)
    for feature in dict.fromkeys(features):
        wanting = [one for one in batch if feature in one.job.features]
        try:
            values = feature.extract_many([one.picture for one in wanting])
        except Exception as error:
            if len(wanting) > 1:  # each by itself, so that only the culprit fails
                for one in wanting:
                    job = one.job._replace(features=[feature])
                    yield from _extract_batch([one._replace(job=job)])
                continue
            yield wanting[0].path, [_Made(wanting[0].job.variant, {}, in_words(error))]
            continue
        for one, value in zip(wanting, values):
            yield one.path, [_Made(one.job.variant, {feature: value}, "")]


def describe(
    images,
    methods: Names | None = None,
    *,
    cache: Cache | AnyPath | None = None,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Return one row per picture: file, status, error, frames, and per method what it extracted.

    That is a hash in hex, or the number of keypoints; empty where the method has no evidence (a
    flat picture, no keypoints). `frames` counts those of an animation and the pages of a document,
    of which the first is taken. Unreadable files have a row too.
    """
    table = as_table(images)
    resolved = registry.resolve(methods)
    variants = [Variant(path) for path in table["path"]]
    features = [FRAMES, *needed(resolved, query=False)]
    with opened(cache) as kept:
        store = Store(root_of(table, columns=["path"]), kept, n_jobs=n_jobs, progress=progress)
        store.make(itertools.product(variants, features))
        frames = store.frames(table["path"])
        columns = {}
        for method in resolved:
            columns[method.name] = [_shown(store, variant, method) for variant in variants]
        errors = [store.error(variant) for variant in variants]
    return pd.DataFrame(
        {
            "file": table["path"].to_numpy(),
            "status": np.where(np.array(errors) == "", "ok", "error"),
            "error": errors,
            "frames": pd.array(frames, dtype="Int64"),
            **columns,
        }
    )


def _shown(store: Store, variant: Variant, method: registry.Method) -> str:
    """A feature as one cell: bits in hex, else how many keypoints or numbers it holds."""
    value = next(iter(store.get([(variant, method.feature)]).values()), b"")
    if not value:
        return ""
    first = unpack(value)[0]
    if first.dtype == bool:
        return np.packbits(first).tobytes().hex()
    return str(len(first))


def digests(images) -> dict[str, str]:
    """Return path → SHA-256 of the file, for those pictures that can be read."""
    table = as_table(images)
    store = Store(root_of(table, columns=["path"]), Memory())
    store.read(table["path"])
    return store.contents
