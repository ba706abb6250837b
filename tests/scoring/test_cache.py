"""The cache: what comes out is what went in, or nothing, whatever happened to the file."""

import contextlib
import io
import json
import os
import pickle
import sqlite3
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from simlab.methods.packing import pack, unpack
from simlab.scoring import cache
from simlab.scoring.cache import Cache, key, opened

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = {key(str(i)): np.random.default_rng(i).bytes(5 + 13 * i) for i in range(150)}
KINDS = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(),
    arrays.unsigned_integer_dtypes(),
    arrays.floating_dtypes(),
)
ARRAYS = KINDS.flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, min_side=0, max_side=5))
)


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """The bytes of a closed cache that holds ENTRIES."""
    path = tmp_path_factory.mktemp("cache") / "cache.sqlite"
    with Cache(path) as filled:
        filled.put(ENTRIES)
    return path.read_bytes()


@pytest.fixture
def path(tmp_path, content):
    """A closed cache that holds ENTRIES."""
    (tmp_path / "cache.sqlite").write_bytes(content)
    return tmp_path / "cache.sqlite"


def identical(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def asides(path):
    return sorted(path.parent.glob("*.damaged-*"))


@contextlib.contextmanager
def silence():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- bytes


@settings(max_examples=60)
@given(ARRAYS)
def test_an_array_survives(array):
    (back,) = unpack(pack(array))
    assert identical(back, array) and not back.flags.writeable


@settings(max_examples=40)
@given(st.lists(ARRAYS, min_size=1, max_size=4))
def test_a_tuple_of_arrays_survives(several):
    packed = pack(tuple(several))
    if several[0].shape[:1] == (0,):  # no keypoints
        assert not packed
        return
    back = unpack(packed)
    assert len(back) == len(several) and all(map(identical, back, several))


def test_an_array_that_is_a_slice_survives():
    array = np.arange(60, dtype=">i4").reshape(3, 4, 5)[::-1, ::2].transpose(2, 0, 1)
    (back,) = unpack(pack(array))
    assert identical(back, array)


@pytest.mark.parametrize(
    "feature", ["text", b"bytes", np.array([None]), np.array(["a"]), {"a": 1}, 1j]
)
def test_only_numbers_and_booleans_are_packed(feature):
    with pytest.raises(ValueError, match="numbers or booleans"):
        pack(feature)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"x\nyz",
        b'[["O", [1]]]\n12345678',
        b'[["<U1", [1]]]\nabcd',
        b'[["<i8", [9]]]\n12345678',
        b'[["V4", [1]]]\nabcd',
        json.dumps([[[["f", "O"]], [1]]]).encode() + b"\n12345678",
        pickle.dumps(np.arange(3)),
    ],
)
def test_other_bytes_are_refused(data):
    with pytest.raises((ValueError, TypeError)):
        unpack(data)


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_keys_differ_where_their_parts_do(a, b):
    assert len(key(*a)) == 32 and (key(*a) == key(*b)) == (a == b)


# --- as a mapping


def test_what_was_put_is_there_also_after_closing(path):
    extra = {key("extra"): b""}
    with Cache(path) as kept:
        assert kept.get(ENTRIES) == ENTRIES
        assert kept.get([key("absent"), key("3")]) == {key("3"): ENTRIES[key("3")]}
        assert kept.present([key("absent"), key("3")]) == {key("3")}
        assert kept.get([]) == {} and kept.present([]) == set()
        kept.put({})
        kept.put(extra)
    with Cache(str(path)) as kept:
        assert kept.get([*ENTRIES, *extra]) == ENTRIES | extra
    assert not asides(path) and path.stat().st_size < 500_000


def test_a_later_value_replaces_an_earlier_one(path):
    with Cache(path) as kept:
        kept.put({key("3"): b"new"})
        assert kept.get([key("3")]) == {key("3"): b"new"}


def test_more_keys_than_sqlite_has_variables(tmp_path):
    many = {key(str(i)): b"%d" % i for i in range(2500)}
    with Cache(tmp_path / "deep" / "down" / "cache.sqlite") as kept:
        kept.put(many)
        assert kept.get(many) == many and kept.present([*many, b"absent"]) == set(many)


def test_names_in_any_script(tmp_path):
    for name in ("キャッシュ 1.sqlite", "?mode=ro&x.sqlite", "100%41#.sqlite"):
        with Cache(tmp_path / name) as kept:
            kept.put(ENTRIES)
        with Cache(tmp_path / name) as kept:
            assert kept.get(ENTRIES) == ENTRIES
        assert (tmp_path / name).is_file()


def test_a_temporary_cache_goes_when_closed():
    with Cache() as kept:
        kept.put(ENTRIES)
        assert kept.get(ENTRIES) == ENTRIES and kept.path.exists()
    assert not kept.path.parent.exists()


def test_without_a_cache_what_is_too_much_for_memory_goes_to_a_temporary_file(monkeypatch):
    monkeypatch.setattr(cache, "MEMORY_BYTES", 50_000)
    with opened(None) as kept:
        with pytest.warns(UserWarning, match="they go to '.*name a cache"):
            for its_key, value in ENTRIES.items():
                kept.put({its_key: b"earlier"})
                kept.put({its_key: value})
        assert kept.get([*ENTRIES, b"absent"]) == ENTRIES
        assert kept.present([*ENTRIES, b"absent"]) == set(ENTRIES)
        folder = kept._file.path.parent
        assert folder.exists()
        with opened(kept) as same:
            assert same is kept
        assert folder.exists()
    assert not folder.exists()


def test_opened_closes_only_what_it_opened(path):
    with opened(path) as own:
        assert own.get(ENTRIES) == ENTRIES
    with pytest.raises(ValueError, match="closed"):
        own.get(ENTRIES)
    with Cache(path) as kept:
        with opened(kept) as same:
            assert same is kept
        assert kept.get(ENTRIES) == ENTRIES
    with opened(None) as temporary:
        assert temporary.get(ENTRIES) == {}


def test_threads_share_a_cache(path):
    found = []
    with Cache(path) as kept:

        def work(n):
            kept.put({key(f"{n} {i}"): b"%d" % n for i in range(20)})
            found.append(kept.get(ENTRIES) == ENTRIES)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == [True] * 4
        assert len(kept.present([key(f"{n} {i}") for n in range(4) for i in range(20)])) == 80


# --- damage


def another_version(path):
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("PRAGMA user_version = 999")


def without_table(path):
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute("DROP TABLE entries")


DAMAGE = {
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "first 100 bytes": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "first page but its mark": lambda path: path.write_bytes(
        bytes(68) + path.read_bytes()[68:72] + bytes(4024) + path.read_bytes()[4096:]
    ),
    "name of the table": lambda path: path.write_bytes(
        path.read_bytes().replace(b"entries", b"entr\xefes")
    ),
    "another version": another_version,
    "without its table": without_table,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_set_aside_and_begun_anew(kind, path):
    DAMAGE[kind](path)
    damaged = path.read_bytes()
    with (
        pytest.warns(UserWarning, match=r"kept as 'cache.sqlite.damaged-1' and begun anew"),
        Cache(path) as kept,
    ):
        found = kept.get(ENTRIES)
        assert found.items() <= ENTRIES.items()
        kept.put(ENTRIES)
        assert kept.get(ENTRIES) == ENTRIES
    assert [aside.read_bytes() for aside in asides(path)] == [damaged]
    with Cache(path) as kept:  # without a warning
        assert kept.get(ENTRIES) == ENTRIES


FOREIGN = {
    "one byte": b"S",
    "zeros": bytes(50_000),
    "garbage": np.random.default_rng(1).bytes(20_000),
    "a picture": b"\xff\xd8\xff" + bytes(5000),
    "a table": b"reference,query,label\na.jpg,b.jpg,1\n" * 200,
}


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("name", ["cache.sqlite", "holiday.jpg"])
def test_a_file_that_is_not_shown_to_be_simlabs_is_left_alone(kind, name, tmp_path):
    path = tmp_path / name
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(ValueError, match=r"is no cache of simlab.*left as it is.*another file"):
        Cache(path)
    assert path.read_bytes() == FOREIGN[kind] and list(tmp_path.iterdir()) == [path]


def test_another_programs_database_is_left_alone_with_its_journal(path):
    """It was renamed once, while that program had it open."""
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        with other:
            other.execute("CREATE TABLE entries (key, value, sum)")
        before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
        with pytest.raises(ValueError, match=r"is no cache of simlab"):
            Cache(path)
        assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_damage_twice_keeps_both(path):
    for _ in range(2):
        DAMAGE["half"](path)
        with pytest.warns(UserWarning, match="begun anew"):
            Cache(path).close()
    assert [aside.name[-9:] for aside in asides(path)] == ["damaged-1", "damaged-2"]


def test_an_empty_file_is_a_new_cache(path):
    path.write_bytes(b"")
    with Cache(path) as kept:
        assert kept.get(ENTRIES) == {}
        kept.put(ENTRIES)
        assert kept.get(ENTRIES) == ENTRIES
    assert not asides(path)


def test_a_flipped_bit_in_a_value_costs_this_row_only(path):
    data = bytearray(path.read_bytes())
    victim = key("100")
    data[data.index(ENTRIES[victim][:500]) + 77] ^= 4
    path.write_bytes(data)
    with Cache(path) as kept:
        assert kept.get(ENTRIES) == {k: v for k, v in ENTRIES.items() if k != victim}
        kept.put({victim: ENTRIES[victim]})
        assert kept.get(ENTRIES) == ENTRIES
    assert not asides(path)


def test_values_of_two_keys_cannot_be_exchanged(path):
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        rows = dict(other.execute("SELECT key, value FROM entries").fetchall())
        for mine, yours in ((key("5"), key("6")), (key("6"), key("5"))):
            other.execute("UPDATE entries SET value = ? WHERE key = ?", (rows[yours], mine))
    with Cache(path) as kept:
        assert kept.get([key("5"), key("6"), key("7")]) == {key("7"): ENTRIES[key("7")]}


def test_cells_of_another_type_are_absent(path):
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        for k, cell in ((key("1"), "text"), (key("2"), 5), (key("3"), 0.5)):
            other.execute("UPDATE entries SET value = ? WHERE key = ?", (cell, k))
        other.execute("UPDATE entries SET value = CAST(x'ff80' AS TEXT) WHERE key = ?", (key("4"),))
    with Cache(path) as kept:
        assert set(kept.get(ENTRIES)) == set(ENTRIES) - {key(n) for n in "1234"}


def test_damage_that_is_met_later_costs_what_is_lost_not_the_run(path):
    data = path.read_bytes()
    place = len(data) // 2 // 4096 * 4096
    path.write_bytes(data[:place] + bytes(len(data) - place))
    with Cache(path) as kept:  # the first pages are whole: nothing is noticed yet
        with pytest.warns(UserWarning, match=r"malformed.*begun anew"):
            found = kept.get(ENTRIES)
        assert found.items() <= ENTRIES.items()
        kept.put(ENTRIES)
        assert kept.get(ENTRIES) == ENTRIES
    assert len(asides(path)) == 1


def test_damage_that_is_met_in_writing(path):
    data = path.read_bytes()
    place = len(data) // 2 // 4096 * 4096
    path.write_bytes(data[:place] + b"\xff" * (len(data) - place))
    with Cache(path) as kept, silence():
        kept.put(ENTRIES)
        assert kept.get(ENTRIES) == ENTRIES


@settings(max_examples=40)
@given(data=st.data())
def test_no_damage_gives_a_wrong_value_or_an_error(tmp_path_factory, content, data):
    folder = tmp_path_factory.mktemp("damage")
    damaged = bytearray(content)
    places = st.one_of(st.integers(0, 4096 + 100), st.integers(0, len(damaged) - 1))
    for place, value in data.draw(
        st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=40)
    ):
        damaged[place] = value
    (folder / "cache.sqlite").write_bytes(
        damaged[: data.draw(st.integers(len(damaged) // 8, 8 * len(damaged)))]
    )
    if damaged[68:72] != content[68:72]:
        return  # no longer simlab's, as far as anybody can tell
    with silence(), Cache(folder / "cache.sqlite") as kept:
        for _ in range(2):
            found = kept.get(ENTRIES)
            assert found.items() <= ENTRIES.items()
            kept.present(ENTRIES)
            kept.put({k: v for k, v in ENTRIES.items() if k not in found})


# --- files that cannot be written


def forbid_writing(monkeypatch, *paths):
    """As if another user owned them; tests may run as root, who may write everything."""
    access = os.access
    monkeypatch.setattr(
        os, "access", lambda path, mode: Path(path) not in paths and access(path, mode)
    )


@pytest.mark.parametrize("what", ["the file", "the folder", "both"])
def test_a_read_only_cache_is_used_and_what_is_added_goes_when_closed(what, path, monkeypatch):
    before = path.read_bytes()
    forbid_writing(
        monkeypatch,
        *{"the file": [path], "the folder": [path.parent], "both": [path, path.parent]}[what],
    )
    added = {key("new"): b"new", key("3"): b"changed"}
    with Cache(path) as kept:
        assert kept.read_only and kept.get(ENTRIES) == ENTRIES
        kept.put({})  # nothing to warn of
        with pytest.warns(UserWarning, match="read-only: nothing new is kept"):
            kept.put(added)
        assert kept.get([*ENTRIES, *added]) == ENTRIES | added
        assert kept.present([key("new"), key("absent")]) == {key("new")}
    assert path.read_bytes() == before
    with Cache(path) as kept:
        assert kept.get([*ENTRIES, *added]) == ENTRIES


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everything"
)
@pytest.mark.parametrize("folder_too", [False, True])
def test_a_cache_without_permission_to_write(folder_too, path):
    path.chmod(0o444)
    path.parent.chmod(0o555 if folder_too else 0o755)
    try:
        with Cache(path) as kept:
            assert kept.read_only and kept.get(ENTRIES) == ENTRIES
    finally:
        path.parent.chmod(0o755)


def test_a_cache_that_turns_out_read_only_is_used_as_one(path):
    with Cache(path) as kept:
        kept._connection.execute(
            "PRAGMA query_only = ON"
        )  # SQLite then refuses to write, as on a disk mounted so
        with pytest.warns(UserWarning, match="read-only"):
            kept.put({key("new"): b"new"})
        assert kept.read_only and kept.get([key("new"), key("3")]) == {
            key("new"): b"new",
            key("3"): ENTRIES[key("3")],
        }
    with Cache(path) as kept:
        assert kept.get([*ENTRIES, key("new")]) == ENTRIES


def test_a_damaged_cache_that_cannot_be_moved_is_refused(path, monkeypatch):
    DAMAGE["first page but its mark"](path)
    forbid_writing(monkeypatch, path)
    with pytest.raises(ValueError, match=r"cache\.sqlite' cannot be used: file is not a database"):
        Cache(path)
    assert not asides(path)


def test_a_folder_is_no_cache_and_stays(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.jpg").write_bytes(b"picture")
    with pytest.raises(ValueError, match="pictures' is a folder; name a file in it"):
        Cache(tmp_path / "pictures")
    assert (tmp_path / "pictures" / "a.jpg").read_bytes() == b"picture"


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(ValueError, match="cannot be used"):
        Cache(tmp_path / "file" / "cache.sqlite")


def test_a_full_disk_is_said_in_words_and_loses_nothing(path):
    with Cache(path) as kept:
        kept._connection.execute("PRAGMA max_page_count = 1")  # SQLite's own way to try it
        with pytest.raises(ValueError, match="cannot be used: database or disk is full"):
            kept.put({key("big"): bytes(1_000_000)})
    with Cache(path) as kept:
        assert kept.get([*ENTRIES, key("big")]) == ENTRIES
    assert not asides(path)


def test_a_cache_that_another_program_keeps_locked(path):
    with contextlib.closing(sqlite3.connect(path)) as other, Cache(path) as kept:
        other.execute("BEGIN IMMEDIATE")
        kept._connection.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(ValueError, match="locked"):
            kept.put({key("x"): b"x"})
    assert not asides(path)


# --- several processes

# the package around the cache takes seconds to import, and nothing of it is needed
ALONE = f"""
import sys, types
scoring = sys.modules["simlab.scoring"] = types.ModuleType("simlab.scoring")
scoring.__path__ = [{str(ROOT / "simlab" / "scoring")!r}]
"""

WORKER = ALONE + textwrap.dedent("""
    import sys, time
    from simlab.scoring.cache import Cache, key
    name, start = sys.argv[2], float(sys.argv[3])
    while time.time() < start:
        time.sleep(0.001)
    with Cache(sys.argv[1]) as kept:
        for i in range(40):
            kept.put({key(str(i)): b"common" * i, key(f"{name} {i}"): name.encode()})
            assert kept.get([key(f"{name} {i}")])
""")


@pytest.mark.parametrize("damaged", [False, True])
def test_three_processes_at_once(damaged, tmp_path):
    path = tmp_path / "cache.sqlite"
    if damaged:
        Cache(path).close()
        path.write_bytes(path.read_bytes()[:100] + b"garbage" * 1000)
    start = subprocess.run(
        [sys.executable, "-c", "import time, numpy; print(time.time())"],
        capture_output=True,
        check=True,
    )
    start = str(float(start.stdout) + 1.5)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, path, name, start], cwd=ROOT, stderr=subprocess.PIPE
        )
        for name in "abc"
    ]
    errors = [worker.communicate(timeout=120)[1].decode() for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0, 0], errors
    with Cache(path) as kept:
        found = kept.get([key(str(i)) for i in range(40)])
        assert found == {key(str(i)): b"common" * i for i in range(40)}
        own = kept.get([key(f"{name} {i}") for name in "abc" for i in range(40)])
        # of two that noticed the damage at once, one may write to a file that was set aside
        assert len(own) == 120 or damaged
    assert len(asides(path)) >= damaged and (damaged or not any(errors))


def test_a_killed_process_loses_no_finished_work(tmp_path):
    path = tmp_path / "cache.sqlite"
    script = (
        "import os, sys; from simlab.scoring.cache import Cache, key; kept = Cache(sys.argv[1])\n"
        "for i in range(10): kept.put({key(str(i)): b'%d' % i})\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", ALONE + script, path], cwd=ROOT, check=False)
    with Cache(path) as kept:
        assert kept.get([key(str(i)) for i in range(10)]) == {
            key(str(i)): b"%d" % i for i in range(10)
        }


# --- nothing runs


class Canary:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_poisoned_cache_runs_nothing(path, tmp_path):
    canary = tmp_path / "canary"
    poison = pickle.dumps(Canary(canary))
    archive = io.BytesIO()
    np.save(archive, np.array([Canary(canary)], dtype=object), allow_pickle=True)
    for value in (poison, archive.getvalue(), b'[["O", [1]]]\n' + poison):
        with Cache(path) as kept:
            kept.put({key("poison"): value})
            (stored,) = kept.get([key("poison")]).values()
        with pytest.raises((ValueError, TypeError)):
            unpack(stored)
    assert not canary.exists()


@pytest.mark.parametrize("expression", ["load_extension('{}')", "writefile('{}', 'x')"])
def test_a_view_in_place_of_the_table_runs_nothing(expression, tmp_path):
    path, canary = tmp_path / "cache.sqlite", tmp_path / "canary.so"
    with contextlib.closing(sqlite3.connect(path)) as other, other:
        other.execute(f"PRAGMA application_id = {cache._APPLICATION_ID}")
        other.execute(f"PRAGMA user_version = {cache.SCHEMA}")
        other.execute(
            f"CREATE VIEW entries AS SELECT {expression.format(canary)} AS key, "
            "x'00' AS value, 1 AS sum"
        )
    with pytest.warns(UserWarning, match="begun anew"), Cache(path) as kept:
        kept.put(ENTRIES)
        assert kept.get(ENTRIES) == ENTRIES
    assert not canary.exists()
