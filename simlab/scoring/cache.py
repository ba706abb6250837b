"""One SQLite file that remembers features and distances, keyed by content, never by name or time.

A row's key is a SHA-256 of everything that decides its value (:func:`key`); its value carries a
checksum, and a row that fails it is treated as absent. Features are arrays in a plain byte form:
nothing that is loaded can run code.
"""

import contextlib
import hashlib
import itertools
import os
import sqlite3
import tempfile
import threading
import warnings
import zlib
from collections.abc import Iterable, Iterator, Mapping
from json.encoder import encode_basestring_ascii
from pathlib import Path

from simlab.messages import in_bytes
from simlab.paths import AnyPath, expanded

MEMORY_BYTES = 500_000_000
"""Most that is kept in memory where there is no cache; beyond this it goes to a temporary file."""

SCHEMA = 1
_APPLICATION_ID = 0x51AB  # "SLAB": marks the file as ours
_MARK_AT = 68  # where SQLite keeps it, in 4 bytes: https://sqlite.org/fileformat.html
_HEADER_BYTES = 72
_BATCH = 900  # SQLite's limit of variables in one statement is 999 in old builds
_TABLE = "entries (key BLOB PRIMARY KEY, value BLOB NOT NULL, sum INTEGER NOT NULL)"

# a damaged name in SQLite's message need not be Unicode, which Python then trips over
_FAULTS = (sqlite3.DatabaseError, UnicodeDecodeError)
# what SQLite reports that lies not in the file: permission, busy, locked, memory, read-only,
# interrupt, I/O, full, path
_NOT_DAMAGE = {3, 5, 6, 7, 8, 9, 10, 13, 14, 15, 23}


def key(*parts: str) -> bytes:
    """Return the SHA-256 of the parts, which cannot run into one another."""
    # what json.dumps makes of a list of texts, in a fifth of its time: a search asks 100,000 times
    texts = ", ".join(map(encode_basestring_ascii, parts))
    return hashlib.sha256(f"[{texts}]".encode()).digest()


class Cache:
    """A mapping from key to bytes in one SQLite file, safe to share between threads and processes.

    Args:
        path: the file, made when absent; None for a temporary one, which goes when it is closed.

    A damaged cache is set aside under another name with a warning and begun anew, also where the
    damage is met later. A file that does not bear simlab's mark, in its first bytes, is refused and
    left as it is. A file that cannot be written is read; what is added, with a warning, goes when
    it is closed.

    Raises:
        ValueError: the file cannot be opened or written, or is no cache, with the reason.
    """

    def __init__(self, path: AnyPath | None = None):
        self._folder = tempfile.TemporaryDirectory(prefix="simlab-") if path is None else None
        self.path = Path(self._folder.name, "cache.sqlite") if self._folder else expanded(path)
        self._lock = threading.Lock()
        self.read_only = False
        self._inode: int | None = None
        if self.path.is_dir():
            raise ValueError(f"the cache {str(self.path)!r} is a folder; name a file in it")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = self._connect()
        except (OSError, *_FAULTS) as error:
            self._begin_anew(error)

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
        found = {}
        for its_key, value, checksum in self._select("key, value, sum", keys):
            # damage may also change the type of a cell
            are_bytes = isinstance(its_key, bytes) and isinstance(value, bytes)
            if are_bytes and _checksum(its_key, value) == checksum:
                found[its_key] = value
        return found

    def present(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return those keys that have a row, without reading its value."""
        return {row[0] for row in self._select("key", keys)}

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Add entries in one transaction; existing ones are replaced.

        Raises:
            ValueError: the file cannot be written, for instance on a full disk.
        """
        rows = [(its_key, value, _checksum(its_key, value)) for its_key, value in entries.items()]
        with self._lock:
            try:
                self._insert(rows)
            except _FAULTS as error:
                self._begin_anew(error)
                with self._in_words():
                    self._insert(rows)
        if self.read_only and rows:
            warnings.warn(
                f"the cache {str(self.path)!r} is read-only: nothing new is kept", stacklevel=2
            )

    def _select(self, columns: str, keys: Iterable[bytes]) -> Iterator[tuple]:
        """The rows of the keys that are present, a batch of them at a time."""
        keys = list(keys)
        for start in range(0, len(keys), _BATCH):
            yield from self._select_batch(columns, keys[start : start + _BATCH])

    def _select_batch(self, columns: str, keys: list[bytes]) -> list[tuple]:
        marks = ",".join("?" * len(keys))
        rows = []
        with self._lock:
            try:
                for place in ("main", "temp") if self.read_only else ("main",):
                    query = f"SELECT {columns} FROM {place}.entries WHERE key IN ({marks})"
                    rows.extend(self._connection.execute(query, keys))
            except _FAULTS as error:
                self._begin_anew(error)
                return []
        return rows

    def _insert(self, rows: list[tuple]) -> None:
        with self._connection:  # a temporary table, where there is one, comes before the file's
            self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", rows)

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        if _inode(self.path) is None:
            _create(self.path)
        # before SQLite opens it, which may tidy up what another program left
        _check_mark(self.path)
        self._inode = _inode(self.path)
        in_writable = os.access(self.path.parent, os.W_OK)  # SQLite keeps a journal beside the file
        self.read_only = read_only or not (in_writable and os.access(self.path, os.W_OK))
        mode = "mode=ro" if self.read_only else "mode=rw"
        if self.read_only and not in_writable:
            mode += "&immutable=1"
        uri = f"{self.path.resolve().as_uri()}?{mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=60, check_same_thread=False)
        try:
            _prepare(connection, self.read_only)
        except _FAULTS:
            connection.close()
            raise
        return connection

    def _begin_anew(self, error: Exception) -> None:
        """Open an empty file in place of a damaged one; any other error is raised in words."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        is_refused = code == sqlite3.SQLITE_READONLY and not self.read_only
        with contextlib.suppress(AttributeError):  # not opened yet
            self._connection.close()
        # where another process has begun anew already, its file is sound
        if _inode(self.path) == self._inode and not is_refused:
            if not _is_damage(error) or self.read_only:
                with self._in_words():
                    raise error
            _check_mark(self.path)
            aside = _set_aside(self.path).name
            damage = f"the cache {str(self.path)!r} is damaged ({error})"
            warnings.warn(f"{damage}; kept as {aside!r} and begun anew", stacklevel=4)
        with self._in_words():
            self._connection = self._connect(read_only=is_refused)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except (OSError, *_FAULTS) as error:
            raise ValueError(f"the cache {str(self.path)!r} cannot be used: {error}") from error


class Memory:
    """What stands in for a cache where there is none: it keeps entries until it is closed."""

    def __init__(self):
        self._entries: dict[bytes, bytes] = {}
        self._n_bytes = 0
        self._file: Cache | None = None

    def get(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Return the values of those keys that are present."""
        wanted = set(keys)
        found = {its_key: self._entries[its_key] for its_key in wanted & self._entries.keys()}
        if self._file:
            found |= self._file.get(wanted - found.keys())
        return found

    def present(self, keys: Iterable[bytes]) -> set[bytes]:
        """Return those keys that have a value."""
        wanted = set(keys)
        found = wanted & self._entries.keys()
        if self._file:
            found |= self._file.present(wanted - found)
        return found

    def put(self, entries: Mapping[bytes, bytes]) -> None:
        """Add entries; existing ones are replaced."""
        self._entries |= entries
        self._n_bytes += sum(map(len, entries.values()))
        if self._n_bytes > MEMORY_BYTES:
            self._file = self._file or _temporary()
            self._file.put(self._entries)
            self._entries.clear()
            self._n_bytes = 0

    def close(self) -> None:
        """Let go of all that is kept."""
        self._entries.clear()
        if self._file:
            self._file.close()


def _temporary() -> Cache:
    """A cache in the temporary folder, whose disk nobody chose for it."""
    cache = Cache()
    warnings.warn(
        f"features take more than {in_bytes(MEMORY_BYTES)}: they go to {str(cache.path.parent)!r}"
        " until the end; name a cache to keep them, or to have them elsewhere",
        stacklevel=3,
    )
    return cache


@contextlib.contextmanager
def opened(cache: Cache | Memory | AnyPath | None) -> Iterator[Cache | Memory]:
    """A cache: one passed open stays open; that of a path, or the memory for None, is closed."""
    if isinstance(cache, Cache | Memory):
        yield cache
        return
    own = Memory() if cache is None else Cache(cache)
    with contextlib.closing(own):
        yield own


def _prepare(connection: sqlite3.Connection, read_only: bool) -> None:
    connection.text_factory = bytes  # damage may turn bytes into a text, which need not be Unicode
    connection.execute("PRAGMA trusted_schema = OFF")
    marks = []
    for name in ("application_id", "user_version"):
        marks += connection.execute(f"PRAGMA {name}").fetchone()
    if marks != [_APPLICATION_ID, SCHEMA]:
        raise _ForeignFile("it belongs to another program or version")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("SELECT key, value, sum FROM main.entries LIMIT 1").fetchone()
    if read_only:
        connection.execute(f"CREATE TEMP TABLE {_TABLE}")


def _create(path: Path) -> None:
    """Make an empty cache, moved into place when it is whole: others see all of it or nothing."""
    with tempfile.TemporaryDirectory(prefix=f"{path.name}-", dir=path.parent) as folder:
        new = Path(folder, "new")
        with contextlib.closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute(f"CREATE TABLE {_TABLE}")
        try:
            os.link(new, path)  # unlike a move, never over the file of a process that was faster
        except OSError:
            if _inode(path) is None:  # no links on this disk, or an empty file in the way
                os.replace(new, path)


def _inode(path: Path) -> int | None:
    """What tells a file from another that took its place; None for none, or an empty one."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return status.st_ino if status.st_size else None
    return None


def _check_mark(path: Path) -> None:
    """Refuse a file that does not say, in SQLite's header, that simlab made it; no other damage."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header[_MARK_AT:] != _APPLICATION_ID.to_bytes(4, "big"):
        raise ValueError(
            f"{str(path)!r} is no cache of simlab, or too damaged to tell; it is left as it is:"
            " move it away, or name another file as cache"
        )


class _ForeignFile(sqlite3.DatabaseError):
    """A database that is not a cache of this version."""


def _is_damage(error: Exception) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    in_file = code is not None and code & 0xFF not in _NOT_DAMAGE
    return in_file or isinstance(error, _ForeignFile | UnicodeDecodeError)


def _set_aside(path: Path) -> Path:
    for number in itertools.count(1):
        aside = path.with_name(f"{path.name}.damaged-{number}")
        if not aside.exists():
            break
    # the file comes last: the journal must not be taken for that of a new one
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _checksum(key: bytes, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key))
