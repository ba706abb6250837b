"""Features: each made once, in whatever process; a picture that cannot be used costs
itself only.
"""

import contextlib
import os
import re
import signal
import threading
import time
from importlib import metadata

import numpy as np
import pytest
from corpus import encoded, flat, special_files, textured

from simlab import perturb
from simlab.images import ImageError
from simlab.methods import hashes
from simlab.methods import registry as methods
from simlab.methods.packing import unpack
from simlab.scoring import features, workers
from simlab.scoring.cache import Cache
from simlab.scoring.features import Store, Variant, describe, digests
from simlab.scoring.one_pair import PIXELS
from simlab.scoring.workers import chunked, in_words, run

PHASH, AKAZE = (methods.get(name).feature for name in ("phash", "akaze"))


@pytest.fixture
def folder(tmp_path):
    for n in range(4):
        textured(n).save(tmp_path / f"{n}.png")
    flat(0).save(tmp_path / "black.png")
    (tmp_path / "text.jpg").write_text("no picture")
    return tmp_path


@contextlib.contextmanager
def store_of(folder, cache=None, **options):
    with Cache(cache) as kept:
        yield Store(folder, kept, progress=False, **{"n_jobs": 1, **options})


def counted(monkeypatch):
    """The names of the features that are extracted from now on, in this process."""
    made, extract = [], features.extract_all

    def count(image, wanted):
        wanted = list(wanted)
        made.extend(feature.key for feature in wanted)
        return extract(image, wanted)

    monkeypatch.setattr(features, "extract_all", count)
    return made


# --- run


def double(number):
    return 2 * number


def die_for_3(number, how):
    if number == 3:
        os.kill(os.getpid(), how) if how else os._exit(1)
    return number


def die_once(number, mark):
    if number == 3 and not mark.exists():
        mark.touch()
        os._exit(1)
    return number


def slow(number):
    time.sleep(0.05)
    return number


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_run_yields_every_task(n_jobs):
    tasks = ((f"task {n}", (n,)) for n in range(30))
    found = dict(run(double, tasks, n_jobs=n_jobs))
    assert found == {f"task {n}": 2 * n for n in range(30)}
    assert list(run(double, iter(()), n_jobs=n_jobs)) == []
    assert list(run(double, [("one", (1,))], n_jobs=n_jobs)) == [("one", 2)]


@pytest.mark.parametrize(
    ("tasks", "how"),
    [
        pytest.param(range(12), 0, marks=pytest.mark.sweep, id="many-exit"),
        pytest.param(range(12), signal.SIGABRT, id="many-crash"),
        pytest.param(range(12), signal.SIGKILL, marks=pytest.mark.sweep, id="many-out of memory"),
        pytest.param([3], 0, marks=pytest.mark.sweep, id="alone-exit"),
        pytest.param([3], signal.SIGABRT, marks=pytest.mark.sweep, id="alone-crash"),
        pytest.param([3], signal.SIGKILL, id="alone-out of memory"),
    ],
)
def test_a_process_that_dies_costs_its_own_task(tasks, how):
    found = dict(run(die_for_3, ((n, (n, how)) for n in tasks), n_jobs=2))
    assert "died twice: a decoder crash, or not enough memory" in found.pop(3)
    assert found == {n: n for n in tasks if n != 3}


def test_a_process_that_dies_once_costs_nothing(tmp_path):
    """As where memory was short for a moment: a second try alone, before a picture is given up."""
    found = dict(run(die_once, ((n, (n, tmp_path / "died")) for n in range(8)), n_jobs=2))
    assert found == {n: n for n in range(8)} and (tmp_path / "died").exists()


def test_what_no_other_process_can_be_given_is_said_in_words():
    with pytest.raises(ValueError, match=r"pickle '_thread\.lock' object.*n_jobs=1"):
        list(run(id, [("", (threading.Lock(),))], n_jobs=2))


def test_on_a_single_core_too_a_worker_does_what_may_crash(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert workers.joblib.effective_n_jobs(-1) == 1
    ((_, worker),) = run(os.getpid, [("", ())], n_jobs=-1)
    assert worker != os.getpid()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_in_the_source_of_tasks_is_raised(n_jobs):
    def tasks():
        yield from ((n, (n,)) for n in range(10))
        raise OSError("the disk broke")

    found = []
    with pytest.raises(OSError, match="the disk broke"):
        found.extend(run(slow, tasks(), n_jobs=n_jobs))


def test_a_caller_who_stops_early_stops_the_workers():
    handed_out = []

    def tasks():
        for n in range(1000):
            handed_out.append(n)
            yield n, (n,)

    start = time.perf_counter()
    with (
        pytest.raises(KeyboardInterrupt),
        contextlib.closing(run(slow, tasks(), n_jobs=2)) as results,
    ):
        for _ in results:
            raise KeyboardInterrupt
    n = len(handed_out)
    time.sleep(0.5)
    assert len(handed_out) == n < 100
    assert time.perf_counter() - start < 20


def test_chunked():
    assert list(chunked(range(7), 3)) == [(0, 1, 2), (3, 4, 5), (6,)]
    assert list(chunked([], 3)) == []


# --- the store


def test_features_are_those_of_the_methods(folder):
    variants = [Variant("0.png"), Variant("0.png", "mirror"), Variant("1.png", "crop(area=0.5)", 7)]
    wanted = [(variant, feature) for variant in variants for feature in (PHASH, AKAZE)]
    with store_of(folder) as store:
        store.make(wanted)
        found = store.get(wanted)
    for variant, feature in wanted:
        picture = perturb.apply(textured(int(variant.path[0])), variant.perturbation, variant.seed)
        assert found[variant, feature] == feature.extract(picture)


def test_pixels_tell_equal_pictures_from_others(folder):
    (folder / "copy.bmp").write_bytes(encoded(textured(0), "BMP"))
    variants = [Variant(path) for path in ("0.png", "copy.bmp", "1.png")] + [
        Variant("0.png", "mirror+mirror")
    ]
    with store_of(folder) as store:
        store.make((variant, PIXELS) for variant in variants)
        found = store.get((variant, PIXELS) for variant in variants)
    first, copy, other, twice = (
        unpack(found[variant, PIXELS])[0].tobytes() for variant in variants
    )
    assert first == copy == twice != other


def test_a_feature_is_made_once_ever(folder, monkeypatch):
    made = counted(monkeypatch)
    wanted = [(Variant(f"{n}.png", spec), PHASH) for n in range(4) for spec in ("", "mirror")]
    with store_of(folder, folder / "c.sqlite") as store:
        store.make(wanted[:3])
        store.make(wanted)
        store.make(wanted)
    assert len(made) == 8
    with store_of(folder, folder / "c.sqlite") as store:
        store.make(wanted)
        assert len(store.get(wanted)) == 8
        store.make([(Variant("0.png"), AKAZE)])
    assert made[8:] == [AKAZE.key]


def test_the_key_is_the_content_not_the_name(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "renamed.jpeg").write_bytes((folder / "0.png").read_bytes())
    with store_of(folder) as store:
        store.read(["0.png", "1.png", "sub/renamed.jpeg"])
        keys = [
            store.key(variant, feature)
            for variant, feature in [
                (Variant("0.png"), PHASH),
                (Variant("1.png"), PHASH),
                (Variant("0.png"), AKAZE),
                (Variant("0.png"), methods.get("phash(hash_size=16)").feature),
                (Variant("0.png"), methods.get("phash(mirror=True)").turned[0]),
                (Variant("0.png", "crop"), PHASH),
                (Variant("0.png", "crop", 1), PHASH),
                (Variant("0.png", "crop(area=0.4)"), PHASH),
            ]
        ]
        assert len(set(keys)) == len(keys)
        assert store.key(Variant("sub/renamed.jpeg"), PHASH) == keys[0]
        assert store.key(Variant("0.png", "crop(area=0.5)"), PHASH) == keys[5]


def test_the_key_changes_with_the_versions(folder, monkeypatch):
    with store_of(folder) as store:
        store.read(["0.png"])
        before = store.key(Variant("0.png"), PHASH)
    monkeypatch.setattr(features, "versions", lambda: methods.versions() + " pillow=99")
    with store_of(folder) as store:
        store.read(["0.png"])
        assert store.key(Variant("0.png"), PHASH) != before


def test_the_versions_are_those_of_all_that_makes_a_feature():
    installed = (metadata.version(name) for name in ("pillow", "imagehash", "numpy", "scipy"))
    for version in (str(methods.EXTRACTOR), workers.cv2.__version__, *installed):
        assert re.search(rf"(?<![\d.]){re.escape(version)}(?![\d.])", methods.versions())


def test_a_changed_file_is_a_new_picture(folder):
    with store_of(folder, folder / "c.sqlite") as store:
        store.make([(Variant("0.png"), PHASH)])
        before = store.get([(Variant("0.png"), PHASH)])
    times = os.stat(folder / "0.png")
    textured(9).save(folder / "0.png")
    os.utime(folder / "0.png", ns=(times.st_atime_ns, times.st_mtime_ns))
    with store_of(folder, folder / "c.sqlite") as store:
        store.make([(Variant("0.png"), PHASH)])
        assert store.get([(Variant("0.png"), PHASH)]) != before


def test_rows_that_the_cache_lost_are_made_again(folder, monkeypatch):
    wanted = [(Variant(f"{n}.png"), PHASH) for n in range(4)]
    with store_of(folder) as store:
        store.make(wanted)
        found = store.get(wanted)
        lost = [store.key(*pair) for pair in wanted[1:3]]
        store.cache.put(dict.fromkeys(lost, b"other"))  # replaced, then damaged
        store.cache._connection.execute(
            "UPDATE entries SET sum = sum + 1 WHERE value = ?", (b"other",)
        )
        made = counted(monkeypatch)
        assert store.get(wanted) == found and len(made) == 2
        assert store.get(wanted) == found and len(made) == 2


def test_errors_name_the_reason_and_are_not_kept(folder):
    special = special_files(folder)
    paths = ["text.jpg", "absent.png", *special]
    with store_of(folder, folder / "c.sqlite") as store:
        store.make([(Variant(path), PHASH) for path in ["0.png", *paths]])
        assert (
            store.error(Variant("0.png")) == ""
            and store.error(Variant("absent.png", "mirror")) == "no such file"
        )
        assert all(store.error(Variant(path)) for path in paths)
        assert set(store.get([(Variant(path), PHASH) for path in ["0.png", *paths]])) == {
            (Variant("0.png"), PHASH)
        }
    (folder / "text.jpg").write_bytes(encoded(textured(5), "PNG"))
    with store_of(folder, folder / "c.sqlite") as store:
        store.make([(Variant("text.jpg"), PHASH)])
        assert (
            store.error(Variant("text.jpg")) == ""
            and len(store.get([(Variant("text.jpg"), PHASH)])) == 1
        )


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_an_error_is_that_of_every_file_with_the_content(folder, content):
    names = ["a.jpg", "b.jpg", "c.jpg"]
    for name in names:
        (folder / name).write_bytes(content)
    table = describe(folder, "phash", n_jobs=1, progress=False).set_index("file")
    assert (table.loc[names, "status"] == "error").all()
    assert table.loc["a.jpg", "error"] and table.loc[names, "error"].nunique() == 1


def test_a_variant_that_fails_does_so_for_every_file_with_the_content(folder, monkeypatch):
    monkeypatch.setattr(perturb.registry, "REGISTRY", dict(perturb.registry.REGISTRY))

    @perturb.register(severity=lambda: 1.0)
    def clumsy(image, rng):
        raise RuntimeError("dropped it")

    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    variants = [Variant(name, "clumsy", 5) for name in ("0.png", "copy.png")]
    with store_of(folder) as store:
        store.make([(variant, PHASH) for variant in variants])
        assert [store.error(variant) for variant in variants] == ["RuntimeError: dropped it"] * 2
        assert store.error(Variant("copy.png", "clumsy", 6)) == ""


@pytest.mark.parametrize("absent", ["0.png", "copy.png"])
def test_a_file_that_vanishes_takes_none_of_the_same_content_along(folder, absent):
    (folder / "copy.png").write_bytes((folder / "0.png").read_bytes())
    pairs = [(Variant(name), PHASH) for name in ("0.png", "copy.png")]
    with store_of(folder) as store:
        store.read(["0.png", "copy.png"])
        (folder / absent).unlink()
        store.make(pairs)
        present = [pair for pair in pairs if pair[0].path != absent]
        assert len(store.cache.present([store.key(*pair) for pair in present])) == 1
        assert store.error(present[0][0]) == ""
        assert list(store.get(present)) == present


# the table is tried with both, too
@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.sweep)])
def test_files_that_vanish_or_change_midway(folder, n_jobs):
    with store_of(folder, n_jobs=n_jobs) as store:
        store.read(["0.png", "1.png", "2.png"])
        (folder / "0.png").unlink()
        textured(9).save(folder / "1.png")
        store.make([(Variant(f"{n}.png"), PHASH) for n in range(4)])
        assert store.error(Variant("0.png")) == "no such file"
        assert store.error(Variant("1.png")) == "the file changed while it was being read"
        assert store.error(Variant("2.png")) == store.error(Variant("3.png")) == ""


def test_a_variant_that_fails_costs_itself(folder, monkeypatch):
    monkeypatch.setattr(perturb.registry, "REGISTRY", dict(perturb.registry.REGISTRY))

    @perturb.register(severity=lambda: 1.0)
    def clumsy(image, rng):
        raise RuntimeError("dropped\nit")

    with store_of(folder) as store:
        store.make([(Variant("0.png", spec), PHASH) for spec in ("", "clumsy", "mirror")])
        assert store.error(Variant("0.png", "clumsy")) == "RuntimeError: dropped it"
        assert store.error(Variant("0.png")) == store.error(Variant("0.png", "mirror")) == ""


def test_too_little_memory_costs_the_picture(folder, monkeypatch):
    def hungry(image):
        raise MemoryError("no 9 GB")

    monkeypatch.setattr(perturb, "content_digest", hungry)
    with store_of(folder) as store:
        store.make([(Variant("0.png"), PHASH)])
        assert store.error(Variant("0.png")) == "MemoryError: no 9 GB"


def test_workers_give_the_same_bytes(folder):
    wanted = [
        (Variant(f"{n}.png", spec, 3), AKAZE) for n in range(4) for spec in ("", "crop", "noise")
    ]
    found = []
    for n_jobs in (1, 2):
        with store_of(folder, n_jobs=n_jobs) as store:
            store.make(reversed(wanted) if n_jobs == 2 else wanted)
            found.append(store.get(wanted))
    assert found[0] == found[1] and len(found[0]) == 12


def test_a_task_holds_a_file_at_a_time(folder, monkeypatch):
    """Files are read when a worker is ready, not all at once."""
    reads = []
    read_bytes = features.read_bytes
    monkeypatch.setattr(features, "read_bytes", lambda path: reads.append(path) or read_bytes(path))
    with store_of(folder) as store:
        store.read([f"{n}.png" for n in range(4)])
        sides = [(Variant(f"{n}.png"), PHASH) for n in range(4)]
        reads.clear()
        next(store._tasks(sides))
        assert len(reads) == 1


# --- tables of features


def test_describe_has_a_row_for_every_picture(folder):
    table = describe(folder, "phash, akaze, dhash(hash_size=16)", n_jobs=1, progress=False)
    assert table.columns.tolist() == [
        "file",
        "status",
        "error",
        "frames",
        "phash",
        "akaze",
        "dhash(hash_size=16)",
    ]
    assert table["file"].tolist() == ["0.png", "1.png", "2.png", "3.png", "black.png", "text.jpg"]
    assert (
        table["status"].tolist() == ["ok"] * 5 + ["error"]
        and "not a picture" in table["error"].iloc[-1]
    )
    first = table.iloc[0]
    assert first["phash"] == np.packbits(hashes.phash(textured(0))).tobytes().hex()
    assert len(first["dhash(hash_size=16)"]) == 64 and int(first["akaze"]) > 10
    assert table.loc[4:, ["phash", "akaze", "dhash(hash_size=16)"]].eq("").all(axis=None)


def test_frames_and_pages_are_counted_whatever_the_first_shows(folder):
    several = {"save_all": True, "append_images": [flat(5), flat(250)]}
    for name, form in (("film.gif", "GIF"), ("scan.tif", "TIFF"), ("film.webp", "WEBP")):
        flat().save(folder / name, form, **several)
    table = describe(folder, "phash", n_jobs=1, progress=False).set_index("file")
    assert table.loc[["film.gif", "scan.tif", "film.webp", "0.png"], "frames"].tolist() == [
        3,
        3,
        3,
        1,
    ]
    assert table.loc[table["status"] == "error", "frames"].isna().all()


def test_a_tga_is_one_by_its_name_and_no_error_of_another_name_is_its_own(folder):
    data = encoded(textured(5), "TGA")
    (folder / "a.tga").write_bytes(data)
    (folder / "b.jpg").write_bytes(data)
    for names in (["a.tga", "b.jpg"], ["b.jpg", "a.tga"]):
        with store_of(folder, folder / "c.sqlite") as store:
            store.make([(Variant(name), PHASH) for name in names])
            assert store.error(Variant("a.tga")) == ""
            assert "not a picture" in store.error(Variant("b.jpg"))


def test_digests_are_of_those_that_can_be_read(folder):
    found = digests([folder / "0.png", folder / "1.png", folder / "absent.png"])
    assert set(found) == {"0.png", "1.png"} and all(len(digest) == 64 for digest in found.values())


def test_extraction_leaves_opencvs_threads_as_they_were():
    threads = workers.cv2.getNumThreads()
    assert workers._named("name", double, (2,)) == ("name", 4)
    assert workers.cv2.getNumThreads() == threads


def test_the_words_of_an_error_fit_one_line():
    assert in_words(ValueError("a\nb   c")) == "ValueError: a b c"
    assert len(in_words(ImageError("x" * 5000))) < 320
