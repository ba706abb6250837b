"""What a run says while it works: counts in words, and a progress bar where somebody sees it."""

import sys
from typing import Any


def counted(n: int, word: str, plural: str | None = None) -> str:
    """Return a count with its noun, in the singular where it is 1.

    >>> counted(1, "unreadable picture"), counted(1200, "copy", "copies")
    ('1 unreadable picture', '1,200 copies')
    """
    many = f"{word}s" if plural is None else plural
    return f"{n:,} {word if n == 1 else many}"


def in_bytes(n: int) -> str:
    """Return a number of bytes as people say it, in powers of 1,000.

    >>> in_bytes(999), in_bytes(1_240_000), in_bytes(56_700_000_000)
    ('999 bytes', '1.2 MB', '57 GB')
    """
    if n < 1000:
        return counted(n, "byte")
    units = ["kB", "MB", "GB"]
    value = n / 1000
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        del units[0]
    digits = 1 if value < 9.95 else 0
    return f"{value:,.{digits}f} {units[0]}"


def in_units(seconds: float) -> str:
    """Return a time as people say it.

    >>> in_units(40), in_units(600), in_units(9000)
    ('40 s', '10 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def say(text: str, *, shown: bool = True) -> None:
    """Write a line where progress bars stand."""
    if shown and sys.stderr is not None:
        sys.stderr.write(f"{text}\n")


def progress_bar(task: str, total: int, word: str = "", *, shown: bool = True) -> Any:
    """Return tqdm's bar over `total`, silent where nothing is to do or nobody sees it.

    A terminal and a notebook show it.

    Args:
        task: what is done, before the bar.
        word: what is counted, in the singular; "" for bytes.
        shown: False for a bar that is silent everywhere.
    """
    if not isinstance(shown, int | None):
        raise ValueError(f"progress must be True or False, not of type {type(shown).__name__}")
    from tqdm.auto import tqdm  # slow to import

    if not (shown and total and _is_watched()):
        return tqdm(disable=True)
    if not word:
        return tqdm(desc=task, total=total, unit="B", unit_scale=True)
    noun = counted(total, word).split(maxsplit=1)[1]
    numbers = f"{{n_fmt}}/{{total_fmt}} {noun} [{{elapsed}}<{{remaining}}]"
    return tqdm(desc=task, total=total, bar_format=f"{{l_bar}}{{bar}}| {numbers}")


def _is_watched() -> bool:
    """Whether a person sees a bar: standard error is a terminal, or this is a notebook's kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    # a script has no shell, IPython in a terminal has one without a kernel
    if getattr(shell, "kernel", None) is not None:
        return True
    return sys.stderr is not None and sys.stderr.isatty()
