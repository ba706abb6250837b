"""Tables of pictures: the built-in sample, registered downloads, a user's own folder.

Every table has the columns ``path`` (POSIX, relative to ``attrs["root"]``) and ``source`` (which
original the picture shows: pictures of one source are copies of each other).
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pandas import DataFrame
from PIL import Image

from simlab.images import SUFFIXES, list_images, read_image, survey
from simlab.messages import progress_bar
from simlab.paths import AnyPath, expanded, sha256_of
from simlab.specs import check_choice, check_count
from simlab.tables import rank_by_hash

_PACKAGE = Path(__file__).resolve().parent

CLONE = _PACKAGE.parent / "datasets"
"""Where the sample lies in a clone: beside the package."""

DATA = CLONE if (CLONE / "sample.csv").is_file() else _PACKAGE / "data"
"""Where it lies here; a wheel has it inside the package."""


@dataclass(frozen=True)
class Download:
    """A set of single files: where they are, and the CSV in datasets/ (path, sha256, bytes) listing
    them.
    """

    base_url: str
    registry: str


DOWNLOADS = {
    "bsds500": Download(
        "https://raw.githubusercontent.com/BIDS/BSDS500/a04b7c6c3a9f0ace74bf205c72a43d32e1c72722/BSDS500/data/images/",
        "bsds500.csv",
    ),
}
"""What :func:`fetch` knows; licences and sources are in datasets/README.md."""


def load_sample() -> DataFrame:
    """Return the built-in sample: 36 pictures of photographs, textures, science, documents and
    look-alikes.

    Columns: path, source, category, look_alike (pictures with the same word were made to be
        confused and are
    *not* copies), description, licence, origin, sha256, width, height.

    Raises:
        ValueError: the sample is absent, because the package is not whole.

    >>> load_sample().category.value_counts()["photograph"]
    np.int64(6)
    """
    sheet = DATA / "sample.csv"
    if not sheet.is_file():
        raise ValueError(f"no sample at {str(sheet)!r}: install simlab again (pip install .)")
    return as_table(pd.read_csv(sheet, keep_default_na=False), root=DATA / "sample")


def make_example(folder: AnyPath, *, n: int = 16) -> DataFrame:
    """Return the pictures of a new folder that looks like anybody's: the sample, and copies of it.

    Each picture has one or two copies that were cut, turned, made smaller or darker, and saved
    again, all under the names that a camera gives. ``source`` says which show the same original.

    Args:
        n: pictures of the sample, the first ones.

    Raises:
        ValueError: the folder is there already.
    """
    check_count("n", n)
    folder = expanded(folder)
    if folder.exists():
        raise ValueError(f"folder must be a new one; {str(folder)!r} is there already")
    folder.mkdir(parents=True)
    sample = load_sample().head(n)
    rows = []
    for number, (path, source) in enumerate(zip(sample["path"], sample["source"])):
        picture = read_image(Path(sample.attrs["root"], path))
        width, height = picture.size
        copies = [
            picture.crop((width // 6, height // 8, width, height)),
            picture.resize((width * 2 // 3, height * 2 // 3)),
            picture.rotate(8, resample=Image.Resampling.BICUBIC),
            picture.point(lambda value: value * 3 // 4),
        ]
        first = number % len(copies)
        for shown in [picture, *copies[first:][: 1 + number % 2]]:
            name = f"DSC_{len(rows) + 1:04d}.jpg"
            shown.save(folder / name, quality=88)
            rows.append((name, source))
    return as_table(DataFrame(rows, columns=["path", "source"]), root=folder)


def from_folder(folder: AnyPath, *, sources: str = "file", any_name: bool = False) -> DataFrame:
    """Return the pictures below a folder as a table.

    Args:
        sources: "file": every file is its own source; "subfolder": the files below one sub-folder
            are copies of each other, and a file beside the sub-folders is its own source.
        any_name: as in :func:`simlab.list_images`. What was passed over is counted in
            ``attrs["passed_over"]``.

    Raises:
        ValueError: no such folder, no pictures in it, or an unknown `sources`.
    """
    check_choice("sources", sources, ["file", "subfolder"])
    folder = expanded(folder)
    found = survey(folder, any_name=any_name)
    table = DataFrame({"path": found.paths or list_images(folder, any_name=any_name)})
    table.attrs["passed_over"] = found.passed_over
    if sources == "subfolder":
        table["source"] = [path.split("/")[0] for path in table["path"]]
    return as_table(table, root=folder)


def as_table(
    images: str | os.PathLike | Iterable | DataFrame,
    *,
    root: AnyPath | None = None,
    any_name: bool = False,
) -> DataFrame:
    """Return a folder, list or table of pictures as a table; rows keep their order, other columns
    stay.

    Args:
        images: a folder, the path of one picture, a list of paths, or a table with a ``path``
            column; where ``source`` is absent or empty, a picture is its own source.
        root: folder that the paths of a table are relative to; by default its ``attrs["root"]``,
            else the current folder. A folder is its own root; that of a list is the deepest folder
            holding all of it.
        any_name: whether pictures of a folder are known by their content too; see
            :func:`simlab.list_images`.

    Raises:
        ValueError: nothing in it, no ``path`` column, or a path that stands there twice.

    >>> as_table(["a/1.png", "a/b/2.png"]).path.tolist()
    ['1.png', 'b/2.png']
    """
    if isinstance(images, (str, os.PathLike)):
        return _from_path(os.fspath(images), any_name)
    table = images.copy() if isinstance(images, DataFrame) else _from_paths(images)
    if "path" not in table:
        raise ValueError(
            f"a table of images needs a column path; found: {', '.join(map(str, table))}"
        )
    if table.empty:
        raise ValueError("no images: the list or table is empty")
    table["path"] = [path_text(path) for path in table["path"]]
    twice = table["path"][table["path"].duplicated()]
    if not twice.empty:
        raise ValueError(
            f"a path may stand in the images once; {twice.iloc[0]!r} stands there again"
        )
    given = table["source"] if "source" in table else table["path"]
    table["source"] = given.where(given.notna() & given.ne(""), table["path"])
    others = [name for name in table if name not in ("path", "source")]
    table = table[["path", "source", *others]]
    table.attrs["root"] = str(expanded(table.attrs.get("root", ".") if root is None else root))
    return table


def two_sides(images, others, *, any_name: bool = False) -> tuple[DataFrame, frozenset[str]]:
    """Return the pictures of two collections as one table, and the paths of those of the second.

    A file that is in both is of the second, as where that is a sub-folder of the first.

    Args:
        images, others, any_name: as in :func:`as_table`; other columns are left out.

    Raises:
        ValueError: one is no collection, or all files of the first are in the second too.
    """
    tables = [as_table(side, any_name=any_name) for side in (images, others)]
    passed_over = Counter()
    files = []
    for table in tables:
        root = os.path.abspath(table.attrs["root"])
        files.append([os.path.normpath(os.path.join(root, path)) for path in table["path"]])
        passed_over.update(table.attrs.get("passed_over", {}))
    first, second = files
    of_second = set(second)
    only_first = [file for file in first if file not in of_second]
    if not only_first:
        raise ValueError("the two sides must be different pictures; all of the first are in both")
    table = as_table([*only_first, *second])
    table.attrs["passed_over"] = dict(sorted(passed_over.items()))
    return table, frozenset(table["path"][len(only_first) :])


def path_text(path: AnyPath) -> str:
    """Return a path as text; one of a Path has slashes.

    Raises:
        ValueError: it is something else, or empty.
    """
    expanded(path)  # which refuses what is none
    return Path(path).as_posix() if isinstance(path, os.PathLike) else path


def sample_sources(images, n: int, *, seed: int = 0) -> DataFrame:
    """Return the rows of `n` sources (of all, where there are fewer) of a folder, list or table, in
    their order.

    Sources are ranked by a SHA-256 of (seed, name), so that the choice depends neither on the order
    of the files nor on the process, and a new source changes at most one choice.

    >>> sample_sources(load_sample(), 2, seed=1).shape[0]
    2
    """
    check_count("n", n)
    table = as_table(images)
    chosen = rank_by_hash(table["source"].unique(), seed)[:n]
    return table[table["source"].isin(chosen)]


def fetch(
    name: str,
    folder: AnyPath | None = None,
    *,
    base_url: str | None = None,
    n_jobs: int = 8,
    retries: int = 2,
    progress: bool = True,
) -> DataFrame:
    """Return a registered set of pictures as a table, after downloading what is not there yet.

    Each file is written under a temporary name, checked by its sha256 and then moved into place; a
    call that was interrupted goes on where it stopped. Licences are in datasets/README.md: read
    them first.

    Args:
        name: a key of :data:`DOWNLOADS`.
        folder: the pictures go into its sub-folder `name`; by default the environment variable
            SIMLAB_DATA, else datasets/downloads in a clone, or the user's cache folder.
        base_url: a mirror of the same files.
        n_jobs: files downloaded at a time.
        retries: further attempts for a file that fails.

    Raises:
        ValueError: an unknown name; a file there with other content; or one that cannot be had,
            with what to do.
    """
    check_choice("name", name, DOWNLOADS)
    check_count("n_jobs", n_jobs)
    check_count("retries", retries, 0)
    registry = pd.read_csv(DATA / DOWNLOADS[name].registry)
    target = expanded(folder or os.environ.get("SIMLAB_DATA") or _downloads()) / name
    base_url = (base_url or DOWNLOADS[name].base_url).rstrip("/") + "/"
    _check_kept(registry, target)
    try:
        _download(registry, target, base_url, n_jobs, retries, progress)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{name} is not complete in {str(target)!r}: {_reason(error)} ({base_url}). Go online "
            "and call again, what is there is kept; or name a mirror with base_url=; or copy the "
            "files there by hand"
        ) from error
    return as_table(registry[["path", "sha256"]], root=target)


def _downloads() -> Path:
    """Where downloads go: a package that is installed is no place for pictures."""
    if DATA != _PACKAGE / "data":
        return DATA / "downloads"
    import pooch

    return Path(pooch.os_cache("simlab")) / "downloads"


def _from_path(path: str, any_name: bool) -> DataFrame:
    # os.path, as pathlib raises where a name is too long
    if path and not os.path.isfile(expanded(path)):
        return from_folder(path, any_name=any_name)
    if any_name or Path(path).suffix.lower() in SUFFIXES:
        return as_table([path])
    raise ValueError(f"images must be a folder or a picture; {path!r} is neither")


def _from_paths(paths: Iterable) -> DataFrame:
    if not isinstance(paths, Iterable) or isinstance(paths, bytes | Mapping | Image.Image):
        allowed = "a folder, a path, a list of paths or a table with a column path"
        raise ValueError(f"images must be {allowed}, not of type {type(paths).__name__}")
    absolute = [os.path.abspath(expanded(path)) for path in paths]
    if not absolute:
        return DataFrame({"path": []})
    root = os.path.commonpath([os.path.dirname(path) for path in absolute])
    table = DataFrame({"path": [Path(path).relative_to(root).as_posix() for path in absolute]})
    table.attrs["root"] = root
    return table


def _check_kept(registry: DataFrame, target: Path) -> None:
    """Refuse a folder in which a file of a set has other content: a download would replace it."""
    for path, sha256 in zip(registry["path"], registry["sha256"]):
        kept = target / path
        if kept.is_file() and sha256_of(kept) != sha256:
            raise ValueError(
                f"{str(kept)!r} differs from its sha256, and is left as it is: "
                "move it away and call again"
            )


def _download(
    registry: DataFrame, target: Path, base_url: str, n_jobs: int, retries: int, progress: bool
) -> None:
    import pooch

    # pooch announces every single file on stderr, across the progress bar
    pooch.get_logger().setLevel("WARNING")
    known = dict(zip(registry["path"], registry["sha256"]))
    keeper = pooch.create(target, base_url, registry=known, retry_if_failed=retries)
    # made beforehand: pooch's own check-then-make fails when two threads meet there
    for parent in {(target / path).parent for path in registry["path"]}:
        parent.mkdir(parents=True, exist_ok=True)
    total = int(registry["bytes"].sum())
    bar = progress_bar(target.name, total, shown=progress)
    with bar, ThreadPoolExecutor(n_jobs) as pool:
        try:
            for size, _ in zip(registry["bytes"], pool.map(keeper.fetch, registry["path"])):
                bar.update(size)
        finally:  # also when it is stopped: what has not begun does not begin
            pool.shutdown(cancel_futures=True)


def _reason(error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {str(error.filename)!r}"
    return "a file differs from its sha256" if isinstance(error, ValueError) else "no connection"
