"""Features of many pictures and variants: made once, in parallel over sources, and kept in a cache.

The main process reads each file and hands its bytes to a worker, which decodes it once, makes the variants one by one
and returns features, never pictures. Workers therefore need no common disk, and memory does not grow with the pictures.
"""

import contextlib
import hashlib
import itertools
import numbers
import warnings
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import joblib
import numpy as np
import pandas as pd
from joblib.externals.loky.process_executor import TerminatedWorkerError
from PIL import Image

from simlab import perturb, specs
from simlab.datasets import as_table
from simlab.images import ImageError, is_tga, read_bytes, read_image
from simlab.messages import progress_bar
from simlab.methods import registry
from simlab.methods.packing import pack, unpack
from simlab.methods.registry import Feature, extract_all, versions
from simlab.paths import expanded
from simlab.scoring.cache import Cache, key, opened
from simlab.scoring.one_pair import PIXELS
from simlab.tables import root_of


class Variant(NamedTuple):
    """A picture as a method sees it: a file, the spec applied to it, and which draw."""

    path: str
    perturbation: str = ""
    seed: int = 0


def count_frames(image: Image.Image) -> np.ndarray:
    """Return how many frames or pages the file of a picture has, int64 (1,)."""
    return np.array([image.info.get("frames", 1)])


FRAMES = Feature("frames", count_frames, {})
"""Frames of an animation or pages of a document, of which the picture is the first."""


class Unread(str):
    """Why a file cannot be read again: it vanished or changed. That says nothing of others with its content."""


class Job(NamedTuple):
    """One variant to make in a worker, and what to extract from it."""

    variant: Variant
    chain: perturb.Chain
    features: tuple[Feature, ...]


class Store:
    """Features by (variant, feature), found in a cache or made.

    Args:
        root: folder that the paths of variants are relative to.
        cache: where features are kept.
        n_jobs: processes, as joblib counts them: -1 is one per core. Inside ``joblib.parallel_config(backend="dask")``
            the work goes to that cluster.
        progress: whether a progress bar is shown, where a terminal or notebook can show one.

    Attributes:
        contents: path → SHA-256 of the file, for those that could be read.
        errors: path of a file that cannot be read → the reason.
        failures: content that is no picture, or (content, perturbation, seed) that cannot be made → the reason; it
            holds for every path that has this content.
    """

    def __init__(self, root: str | Path, cache: Cache, *, n_jobs: int = -1, progress: bool = True):
        check_jobs(n_jobs)
        self.root, self.cache, self.n_jobs, self.progress = expanded(root), cache, n_jobs, progress
        self.contents: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.failures: dict[str | tuple[str, str, int], str] = {}
        self._chains: dict[str, tuple[perturb.Chain, str]] = {}

    def read(self, paths: Iterable[str]) -> None:
        """Digest the files that were not read yet."""
        for path in paths:
            if path not in self.contents and path not in self.errors:
                try:
                    self.contents[path] = hashlib.sha256(read_bytes(self.root / path)).hexdigest()
                except ImageError as error:
                    self.errors[path] = str(error)

    def error(self, variant: Variant) -> str:
        """Return why a variant has no features; "" where it has."""
        if variant.path in self.errors:
            return self.errors[variant.path]
        content = self._content(variant.path) if variant.path in self.contents else ""
        made = (content, variant.perturbation, variant.seed)
        return self.failures.get(content) or self.failures.get(made, "")

    def key(self, variant: Variant, feature: Feature) -> bytes:
        """Return the cache key of a feature of a variant whose file was read."""
        complete = self._chain(variant.perturbation)[1]
        return key(
            self._content(variant.path), complete, str(variant.seed), feature.key, versions()
        )

    def _content(self, path: str) -> str:
        """What a picture depends on: the bytes of its file, and whether its name makes it a TGA."""
        content = self.contents[path]
        return f"{content}.tga" if is_tga(path) else content

    def make(self, wanted: Iterable[tuple[Variant, Feature]]) -> None:
        """Extract those features that the cache does not have; why some cannot be made, :meth:`error` says."""
        wanted = list(dict.fromkeys(wanted))
        self.read(dict.fromkeys(variant.path for variant, _ in wanted))
        unreadable = len(self.errors)
        self._extract(wanted)
        if len(self.errors) > unreadable:
            # a file vanished midway, and others of the same content were left to it
            self.make(wanted)

    def _extract(self, wanted: list[tuple[Variant, Feature]]) -> None:
        missing = self._missing(wanted)
        tasks = [(path, self._jobs(path, variants)) for path, variants in missing.items()]
        total = sum(len(jobs) for _, jobs in tasks)
        with progress_bar("features", total, "picture", shown=self.progress) as bar:
            arguments = self._arguments(tasks)
            with stopping(run(_extract_source, arguments, n_jobs=self.n_jobs)) as done:
                for path, results in done:
                    self._keep(path, results)
                    bar.update(len(results) if isinstance(results, list) else 1)

    def get(
        self, wanted: Iterable[tuple[Variant, Feature]]
    ) -> dict[tuple[Variant, Feature], bytes]:
        """Return packed features; ``b""`` is no evidence. A row that the cache lost meanwhile is made again."""
        wanted = [pair for pair in wanted if not self.error(pair[0])]
        keys = [self.key(*pair) for pair in wanted]
        found = self.cache.get(keys)
        if lost := [pair for pair, k in zip(wanted, keys) if k not in found]:
            for path, variants in self._grouped(lost).items():
                results = _extract_source(
                    self.root / path, self.contents[path], self._jobs(path, variants)
                )
                found.update(self._keep(path, results))
        return {pair: found[k] for pair, k in zip(wanted, keys) if k in found}

    def frames(self, paths: Iterable[str]) -> list[int | None]:
        """Return how many frames or pages each file has, as far as :data:`FRAMES` was made; None where it was not."""
        wanted = [(Variant(path), FRAMES) for path in paths]
        found = self.get(wanted)
        return [int(unpack(found[pair])[0][0]) if pair in found else None for pair in wanted]

    def _missing(
        self, wanted: list[tuple[Variant, Feature]]
    ) -> dict[str, dict[Variant, list[Feature]]]:
        keys = {self.key(*pair): pair for pair in wanted if not self.error(pair[0])}
        present = self.cache.present(keys)
        return self._grouped(pair for k, pair in keys.items() if k not in present)

    def _grouped(
        self, pairs: Iterable[tuple[Variant, Feature]]
    ) -> dict[str, dict[Variant, list[Feature]]]:
        grouped: dict[str, dict[Variant, list[Feature]]] = defaultdict(lambda: defaultdict(list))
        for variant, feature in pairs:
            grouped[variant.path][variant].append(feature)
        return grouped

    def _jobs(self, path: str, variants: dict[Variant, list[Feature]]) -> list[Job]:
        return [
            Job(variant, self._chain(variant.perturbation)[0], tuple(features))
            for variant, features in variants.items()
        ]

    def _arguments(self, tasks: list[tuple[str, list[Job]]]) -> Iterator[tuple[str, tuple]]:
        """The files are read again only when a worker is ready for them: memory holds a few at a time."""
        for path, jobs in tasks:
            try:
                data: bytes | Unread = read_bytes(self.root / path)
            except ImageError as error:
                data = Unread(error)
            yield path, (data, self.contents[path], jobs)

    def _keep(
        self, path: str, results: list[tuple[Variant, dict[Feature, bytes], str]] | str
    ) -> dict[bytes, bytes]:
        content = self._content(path)
        if isinstance(results, Unread):
            self.errors[path] = results
            return {}
        if isinstance(results, str):
            self.failures[content] = results
            return {}
        entries = {
            self.key(variant, feature): value
            for variant, values, _ in results
            for feature, value in values.items()
        }
        for variant, _, error in results:
            if error:
                self.failures[content, variant.perturbation, variant.seed] = error
        self.cache.put(entries)
        return entries

    def _chain(self, perturbation: str) -> tuple[perturb.Chain, str]:
        if perturbation not in self._chains:
            chain = perturb.parse(perturbation)
            text = "+".join(specs.complete(step.kind, step.arguments) for step in chain.steps)
            version = f"perturb={perturb.VERSION}" if chain.steps else ""
            self._chains[perturbation] = chain, f"{text} {chain.resources}{version}"
        return self._chains[perturbation]


def describe(
    images,
    methods: str | Iterable[str] | None = None,
    *,
    cache: Cache | str | Path | None = None,
    n_jobs: int = -1,
    progress: bool = True,
) -> pd.DataFrame:
    """Return one row per picture: file, status, error, frames, and per method its hash in hex or number of keypoints.

    `frames` counts those of an animation and the pages of a document, of which the first is taken. A cell is empty
    where the method has no evidence (a flat picture, no keypoints). Unreadable files have a row too.
    """
    table, resolved = as_table(images), registry.resolve(methods)
    variants = [Variant(path) for path in table["path"]]
    features = [FRAMES, *(method.feature for method in resolved)]
    with opened(cache) as kept:
        store = Store(root_of(table, columns=["path"]), kept, n_jobs=n_jobs, progress=progress)
        store.make(itertools.product(variants, features))
        frames = pd.array(store.frames(table["path"]), dtype="Int64")
        columns = {method.name: [_shown(store, v, method) for v in variants] for method in resolved}
        errors = [store.error(variant) for variant in variants]
    status = ["error" if error else "ok" for error in errors]
    return pd.DataFrame(
        {
            "file": table["path"].to_numpy(),
            "status": status,
            "error": errors,
            "frames": frames,
            **columns,
        }
    )


def digests(images) -> dict[str, str]:
    """Return path → SHA-256 of the file, for those pictures that can be read."""
    table = as_table(images)
    with Cache() as kept:
        store = Store(root_of(table, columns=["path"]), kept)
        store.read(table["path"])
    return store.contents


def check_jobs(n_jobs: int) -> None:
    """Raise unless this is a number of processes as joblib counts them.

    Raises:
        ValueError: it is no whole number, or 0.
    """
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral) or n_jobs == 0:
        raise ValueError(f"n_jobs must be 1 or more, or -1 for one per core, not {n_jobs!r}")


def run(
    function: Callable, tasks: Iterable[tuple[Any, tuple]], *, n_jobs: int
) -> Iterator[tuple[Any, Any]]:
    """Yield (name, ``function(*arguments)``) for each (name, arguments), in parallel, in the order they end.

    A task whose process dies twice (a decoder that crashes, not enough memory) yields why, as text; the
    others go on in a new pool. With ``n_jobs=1`` all is done in this process, which such a task ends.
    """
    tasks = iter(tasks)
    if n_jobs < 0 and joblib.effective_n_jobs(n_jobs) == 1:
        n_jobs = 2  # on a single core too, a decoder that crashes ends a worker, not this process
    while True:
        handed_out: dict[Any, tuple] = {}
        results = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered", batch_size=1)(
            joblib.delayed(_named)(name, function, arguments)
            for name, arguments in _noted(tasks, handed_out)
        )
        try:
            with stopping(results):
                for name, result in results:
                    del handed_out[name]
                    yield name, result
            return
        except TerminatedWorkerError:
            yield from _one_by_one(function, handed_out)


@contextlib.contextmanager
def stopping(results: Generator) -> Iterator[Generator]:
    """The generator, closed at the end: where the caller is interrupted, its workers stop at once."""
    try:
        yield results
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib warns of what was cancelled
            results.close()


def in_words(error: Exception) -> str:
    """Return an exception as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def _shown(store: Store, variant: Variant, method: registry.Method) -> str:
    """A feature as one cell: bits in hex, else how many keypoints or numbers it holds."""
    value = next(iter(store.get([(variant, method.feature)]).values()), b"")
    if not value:
        return ""
    arrays = unpack(value)
    return (
        np.packbits(arrays[0]).tobytes().hex() if arrays[0].dtype == bool else str(len(arrays[0]))
    )


def _noted(
    tasks: Iterator[tuple[Any, tuple]], handed_out: dict[Any, tuple]
) -> Iterator[tuple[Any, tuple]]:
    for name, arguments in tasks:
        handed_out[name] = arguments
        yield name, arguments


def _named(name: Any, function: Callable, arguments: tuple) -> tuple[Any, Any]:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)  # the processes are the parallel part
    try:
        return name, function(*arguments)
    finally:
        cv2.setNumThreads(threads)


def _one_by_one(function: Callable, tasks: dict[Any, tuple]) -> Iterator[tuple[Any, Any]]:
    """Those that were under way when a process died: each alone, so that only the culprit fails."""
    for name, arguments in tasks.items():
        try:
            # two tasks, so that joblib does not run the only one in this process
            done = joblib.Parallel(n_jobs=2)(
                joblib.delayed(_named)(*task)
                for task in ((name, function, arguments), (None, int, ()))
            )
            yield done[0]
        except TerminatedWorkerError:
            why = "the process that worked on it died twice: a decoder crash, or not enough memory"
            yield name, why


def _extract_source(
    data: bytes | Unread | Path, content: str, jobs: list[Job]
) -> list[tuple[Variant, dict[Feature, bytes], str]] | str:
    """Features of the variants of one source, or the reason why it cannot be read."""
    if isinstance(data, Path):
        try:
            data = read_bytes(data)
        except ImageError as error:
            return Unread(error)
    if isinstance(data, Unread):
        return data
    if hashlib.sha256(data).hexdigest() != content:
        return Unread("the file changed while it was being read")
    try:
        image = read_image(data, name=jobs[0].variant.path)
        digest = perturb.content_digest(image)
    except ImageError as error:
        return str(error)
    except MemoryError as error:
        return in_words(error)
    return [_extract_variant(image, digest, job) for job in jobs]


def _extract_variant(image, digest: bytes, job: Job) -> tuple[Variant, dict[Feature, bytes], str]:
    try:
        variant = job.chain.apply(image, job.variant.seed, digest) if job.chain.steps else image
        told = [feature for feature in job.features if feature not in (PIXELS, FRAMES)]
        values = extract_all(variant, told)
        by_feature = {feature: values[feature.key] for feature in told}
        if FRAMES in job.features:  # a flat picture has them too
            by_feature[FRAMES] = FRAMES.extract(image)
        if PIXELS in job.features:
            pixels = perturb.content_digest(variant) if job.chain.steps else digest
            by_feature[PIXELS] = pack(np.frombuffer(pixels, dtype=np.uint8))
        return job.variant, by_feature, ""
    except (
        Exception
    ) as error:  # a user's own method or perturbation may raise anything: one row, not the run
        return job.variant, {}, in_words(error)


def chunked(items: Iterable, size: int) -> Iterator[tuple]:
    """Yield tuples of at most `size` items."""
    items = iter(items)
    while part := tuple(itertools.islice(items, size)):
        yield part
