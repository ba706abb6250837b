"""One SQLite file that remembers features and pair distances, keyed by content and never by name or time.

A row's key is a SHA-256 of everything that decides its value (:func:`key`); its value carries a checksum, and a row
that fails it is treated as absent. Features are arrays in a plain byte form: nothing that is loaded can run code.
"""

import contextlib
import hashlib
import json
import math
import os
import sqlite3
import tempfile
import threading
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

SCHEMA = 1
_APPLICATION_ID = 0x51AB  # "SLAB": marks the file as ours
_BATCH = 900  # SQLite's limit of variables in one statement is 999 in old builds


def key(*parts: str) -> bytes:
    """Return the SHA-256 of the parts, which cannot run into one another."""
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).digest()


def pack(feature: np.ndarray | Sequence[np.ndarray]) -> bytes:
    """Return an array, or a tuple of arrays, as bytes: a JSON line with dtypes and shapes, then the data.

    Raises:
        ValueError: for anything but arrays of numbers or booleans.

    >>> unpack(pack(np.arange(3, dtype=np.uint8)))
    (array([0, 1, 2], dtype=uint8),)
    """
    arrays = [np.ascontiguousarray(a) for a in (feature if isinstance(feature, tuple) else (feature,))]
    wrong = next((a.dtype for a in arrays if a.dtype.kind not in "biuf"), None)
    if wrong is not None:
        raise ValueError(f"a feature is an array of numbers or booleans, or a tuple of them, not {wrong}")
    header = json.dumps([[a.dtype.str, a.shape] for a in arrays]).encode()
    return header + b"\n" + b"".join(a.tobytes() for a in arrays)


def unpack(data: bytes) -> tuple[np.ndarray, ...]:
    """Return the arrays that :func:`pack` wrote, read-only."""
    header, body = data.split(b"\n", 1)
    arrays, start = [], 0
    for text, shape in json.loads(header):
        dtype = np.dtype(text)
        count = math.prod(shape)
        arrays.append(np.frombuffer(body, dtype, count, start).reshape(shape))
        start += count * dtype.itemsize
    return tuple(arrays)


class Cache:
    """A mapping from key to bytes in one SQLite file, safe to share between threads and processes.

    Args:
        path: the file, made when absent; None for a temporary one that goes when the cache is closed.

    A file that is damaged, or another program's, is set aside under another name with a warning and begun anew.
    One that cannot be written is read, with a warning when something would have been added.
    """

    def __init__(self, path: str | os.PathLike | None = None):
        self._folder = tempfile.TemporaryDirectory(prefix="simlab-") if path is None else None
        self.path = Path(self._folder.name, "cache.sqlite") if self._folder else Path(path)
        self._lock = threading.Lock()
        self.read_only = False
        self._connection = self._open()

    def __enter__(self) -> "Cache":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a temporary one is removed."""
        self._connection.close()
        if self._folder:
            self._folder.cleanup()

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the values of those keys that are present and undamaged."""
        rows = (row for part in self._parts(keys) for row in self._select("key, value, sum", part))
        return {k: value for k, value, checksum in rows if _checksum(k, value) == checksum}

    def present(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return those keys that have a row, without reading its value."""
        rows = [row for part in self._parts(keys) for row in self._select("key", part)]
        return {row[0] for row in rows}

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Add entries in one transaction; existing ones are replaced."""
        if self.read_only and entries:
            warnings.warn(f"the cache {str(self.path)!r} is read-only: nothing new is kept", stacklevel=2)
        if self.read_only or not entries:
            return
        rows = [(k, v, _checksum(k, v)) for k, v in entries.items()]
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)

    def _parts(self, keys: Iterable[bytes]) -> Iterator[list[bytes]]:
        keys = list(keys)
        return (keys[start : start + _BATCH] for start in range(0, len(keys), _BATCH))

    def _select(self, columns: str, keys: list[bytes]) -> list[tuple]:
        marks = ",".join("?" * len(keys))
        with self._lock:
            return self._connection.execute(f"SELECT {columns} FROM entries WHERE key IN ({marks})", keys).fetchall()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._connect()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise ValueError(f"the cache {str(self.path)!r} is locked by another program") from error
            aside = _set_aside(self.path)
            warnings.warn(
                f"the cache {str(self.path)!r} is damaged or not one ({error}); kept as {aside.name!r} and begun anew",
                stacklevel=4,
            )
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        self.read_only = self.path.exists() and not os.access(self.path, os.W_OK)
        mode = "ro" if self.read_only else "rwc"
        connection = sqlite3.connect(
            f"{self.path.resolve().as_uri()}?mode={mode}", uri=True, timeout=60, check_same_thread=False
        )
        try:
            _prepare(connection, self.read_only)
        except sqlite3.Error:
            connection.close()
            raise
        return connection


@contextlib.contextmanager
def opened(cache: Cache | str | os.PathLike | None) -> Iterator[Cache]:
    """A cache: one that is passed open stays open; a path, or None for a temporary one, is opened and closed here."""
    if isinstance(cache, Cache):
        yield cache
    else:
        with Cache(cache) as own:
            yield own


def _prepare(connection: sqlite3.Connection, read_only: bool) -> None:
    owner, version = (connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    empty = not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if not empty and (owner, version) != (_APPLICATION_ID, SCHEMA):
        raise sqlite3.DatabaseError("it belongs to another program or version")
    if empty and not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA}")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, value BLOB NOT NULL, sum INTEGER NOT NULL)"
        )
        connection.commit()
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("SELECT key FROM entries LIMIT 1").fetchone()


def _set_aside(path: Path) -> Path:
    n = 1
    while (aside := path.with_name(f"{path.name}.damaged-{n}")).exists():
        n += 1
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    path.rename(aside)
    return aside


def _checksum(key: bytes, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key))
