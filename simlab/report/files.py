"""What a report puts into its folder: whole files, safe tables, small pictures, versions."""

import contextlib
import csv
import importlib.metadata
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, TypeAlias

from pandas import DataFrame

from simlab import __version__
from simlab.images import in_words
from simlab.paths import AnyPath, file_to_write, folder_for_files
from simlab.tables import check_table, guarded, noted_beside

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None

_PACKAGES = (
    "numpy",
    "scipy",
    "pandas",
    "pillow",
    "opencv-python-headless",
    "imagehash",
    "faiss-cpu",
    "scikit-learn",
    "matplotlib",
)
Run: TypeAlias = Mapping[str, Any]
"""How a result was made: what run.json holds."""

TOLD = (
    "break_points.csv",
    "collection.csv",
    "comparison.csv",
    "complementarity.csv",
    "label_audit.csv",
    "metrics.csv",
    "prevalence.csv",
    "ranking.csv",
    "report.html",
    "thresholds.csv",
    "timings.csv",
)
"""What is told of scores: a run writes those of them in which it has something to say."""

_PARTIAL = ".partial-"
_LOCK = "lock"


@contextlib.contextmanager
def whole(out: AnyPath, *, stale: Iterable[str] = ()) -> Iterator[Path]:
    """Yield a temporary folder whose files are moved into `out` when the block ends well.

    The page, report.html, is moved last. Several runs may have one `out`. What a killed run left
    there is removed where it is shown to be a run's of simlab that is dead; any other folder is
    left alone, whatever its name.

    Args:
        stale: what an earlier run told of the tables that are replaced, such as "report.html":
            taken away with them, where the ``run.json`` beside it shows that it is a run's.
    """
    with folder_for_files(out) as target:
        _remove_dead(target)
        with _working_folder(target) as made:
            yield made
            if noted_beside(target / "run.json"):
                for name in stale:
                    (target / name).unlink(missing_ok=True)
            _move(made, target)


@contextlib.contextmanager
def _working_folder(out: Path) -> Iterator[Path]:
    """Yield a new folder in a new one in `out`, beside a file that is locked while it is used."""
    folder = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=out))
    files = folder / "files"
    try:
        with (folder / _LOCK).open("xb", buffering=0) as lock:
            _hold(lock)
            # once it is held: another run never sees the mark without the lock
            lock.write(_mark(folder))
            files.mkdir()
            yield files
    finally:
        shutil.rmtree(files, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _remove_dead(out: Path) -> None:
    """Remove the folders of runs that were killed: they bear simlab's mark, and none is locked."""
    for folder in out.glob(f"{_PARTIAL}*"):
        is_dead = False
        with contextlib.suppress(OSError), (folder / _LOCK).open("rb+", buffering=0) as lock:
            is_dead = lock.read(len(_mark(folder)) + 1) == _mark(folder) and _hold(lock)
        if is_dead and not folder.is_symlink():
            shutil.rmtree(folder / "files", ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)


def _mark(folder: Path) -> bytes:
    """What proves a folder to be simlab's: its name, and the machine whose locks count there."""
    return f"simlab works here: {folder.name} on {platform.node()}\n".encode()


def _hold(lock: IO[bytes]) -> bool:
    """Whether this run holds the file until it is closed; False where another does."""
    try:
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            lock.seek(0)
            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def _move(made: Path, out: Path) -> None:
    files = sorted(path for path in made.rglob("*") if path.is_file())
    for path in files:
        with path.open("rb+") as file:
            # on the disk before its name is: a power failure leaves no empty file
            os.fsync(file.fileno())
    for path in sorted(files, key=lambda path: path.name == "report.html"):
        target = out / path.relative_to(made)
        target.parent.mkdir(exist_ok=True)
        os.replace(path, target)


def write_text(path: Path, text: str) -> Path:
    """Return the path, after the text was written there as UTF-8."""
    # names that are not UTF-8 hold lone surrogates, which only an escape can carry; JSON reads it
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return path


def passed_over(facts: Mapping[str, Any]) -> str:
    """Return the sentence that says which files of a folder were passed over; "" where none was."""
    counts = facts.get("passed_over")
    return f"Files that were passed over, by ending: {in_words(counts)}." if counts else ""


def unreadable(facts: Mapping[str, Any]) -> list[tuple[DataFrame, str]]:
    """Return the files that could not be read as a table with its caption; none where all could."""
    errors = facts.get("errors")
    if not errors:
        return []
    table = DataFrame(list(errors.items()), columns=["file", "reason"])
    return [(table, "Files that could not be read, and why")]


def write_run(run: Run, folder: Path) -> None:
    """Write run.json into the folder: how a result was made."""
    text = json.dumps(run, indent=2, default=str, ensure_ascii=False)
    write_text(folder / "run.json", f"{text}\n")


def write_csv(table: DataFrame, path: AnyPath) -> Path:
    """Return the path, after the table was written there; a spreadsheet sees no formula in it.

    A text that begins with = + - @, a tab or a line break (or with apostrophes before one) gets an
    apostrophe in front; taking one away from such a text when reading gives back what it was.
    """
    path = file_to_write(path)
    path.write_bytes(csv_bytes(table))
    return path


def csv_bytes(table: DataFrame) -> bytes:
    """Return what :func:`write_csv` writes."""
    check_table(table, "table")
    plain = {
        name: table[name].map(guarded) for name in table.select_dtypes(exclude=["number", "bool"])
    }
    safe = table.assign(**plain).rename(columns=guarded)
    # by itself, csv takes no name for one to quote that holds a carriage return alone
    has_returns = any(column.astype(str).str.contains("\r").any() for column in plain.values())
    quoting = csv.QUOTE_NONNUMERIC if has_returns else csv.QUOTE_MINIMAL
    text = safe.to_csv(index=False, lineterminator="\n", quoting=quoting)
    return text.encode(errors="surrogateescape")


def versions() -> dict[str, str]:
    """Return the versions that a result depends on: packages, Python, and the kind of machine."""
    installed = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            installed[name] = importlib.metadata.version(name)
    return {
        "simlab": __version__,
        **installed,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
