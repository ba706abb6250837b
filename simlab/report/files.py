"""What a report puts into its folder: files whole or absent, tables safe to open, small pictures, versions."""

import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from PIL import Image

from simlab import __version__, perturb
from simlab.images import read_image

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
_PARTIAL = ".partial-"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


@contextlib.contextmanager
def whole(out: str | Path) -> Iterator[Path]:
    """Yield a temporary folder whose files are moved into `out` when the block ends well, report.html last.

    What a killed run left there is removed: two runs at once need a folder each.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    for left in out.glob(f"{_PARTIAL}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=_PARTIAL, ignore_cleanup_errors=True) as made:
        yield Path(made)
        files = sorted(path for path in Path(made).rglob("*") if path.is_file())
        for path in files:
            with path.open(
                "rb+"
            ) as file:  # on the disk before its name is: a power failure leaves no empty file
                os.fsync(file.fileno())
        for path in sorted(files, key=lambda path: path.name == "report.html"):
            target = out / path.relative_to(made)
            target.parent.mkdir(exist_ok=True)
            os.replace(path, target)


def write_text(path: Path, text: str) -> Path:
    """Return the path, after the text was written there as UTF-8."""
    # file names that are not UTF-8 hold lone surrogates, which only an escape can carry; JSON reads it back
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
    return path


def write_csv(table: pd.DataFrame, path: str | Path) -> Path:
    """Return the path, after the table was written there so that a spreadsheet takes no name for a formula.

    A text that begins with = + - @, a tab or a line break (or with apostrophes before one) gets an apostrophe in
    front; taking one away from such a text when reading gives back what it was.
    """
    plain = {
        name: table[name].map(_plain) for name in table.select_dtypes(exclude=["number", "bool"])
    }
    safe = table.assign(**plain).rename(columns=_plain)
    safe.to_csv(path, index=False, lineterminator="\n", errors="surrogateescape")
    return Path(path)


def _plain(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def versions() -> dict[str, str]:
    """Return the versions that a result depends on: packages, Python, and the kind of machine."""
    installed = {str(d.name).lower(): d.version for d in importlib.metadata.distributions()}
    system = {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
    }
    return {
        "simlab": __version__,
        **{name: installed[name] for name in _PACKAGES if name in installed},
        **system,
    }


def thumbnail(path: Path, spec: str = "", seed: int = 0, *, side: int = 360) -> Image.Image:
    """Return the variant of the picture at `path`, small; a grey one where it can no longer be read."""
    try:
        image = perturb.apply(read_image(path), spec, seed=int(seed))
    except (ValueError, OSError):
        return Image.new("RGB", (240, 180), "#d0d0d0")
    image.thumbnail((side, side))
    return image
