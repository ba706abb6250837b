"""What a long search says beforehand, and that one which does not fit is refused."""

import re
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from corpus import textured

import simlab as sl
from simlab.messages import in_bytes
from simlab.search import forecast, indexes, library
from simlab.search.forecast import Forecast


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("many")
    for number in range(10):
        textured(number, 90, 70).save(place / f"{number}.png")
    return place


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    return {"cache": tmp_path_factory.mktemp("cache") / "cache.sqlite", "n_jobs": 1}


@pytest.fixture
def _long(monkeypatch):
    monkeypatch.setattr(library, "LONG", 10)


@pytest.mark.usefixtures("_long")
def test_a_long_search_says_what_it_will_take(folder, options, capsys):
    sl.find_copies(folder, **options)
    said = capsys.readouterr().err.splitlines()[0]
    number = r"[\d.]+ (s|min|h)"
    words = (
        rf"10 pictures: about {number} for features, {number} for the search, \d.* of memory,"
        r" [\d.]+ kB of disk"
    )
    assert re.fullmatch(words, said)
    sl.find_copies(folder, **options)
    assert capsys.readouterr().err.splitlines()[0].endswith(" 0 bytes of disk")
    sl.find_copies(folder, progress=False, **options)
    assert not capsys.readouterr().err


def test_a_short_one_says_nothing(folder, options, capsys):
    sl.find_copies(folder, **options)
    assert not capsys.readouterr().err


@pytest.mark.usefixtures("_long")
def test_what_does_not_fit_in_memory_is_refused_before_it_begins(folder, monkeypatch, tmp_path):
    free = SimpleNamespace(available=20_000)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: free)
    with pytest.raises(ValueError, match=rf"{in_bytes(20_000)} are free: .*--between"):
        sl.find_copies(folder, n_jobs=1, progress=False)


@pytest.mark.usefixtures("_long")
@pytest.mark.parametrize("with_cache", [True, False])
def test_what_does_not_fit_on_the_disk_is_refused(folder, with_cache, monkeypatch, tmp_path):
    """That of the cache, or of the temporary folder where features go without one."""
    monkeypatch.setattr(forecast, "MEMORY_BYTES", 1_000)
    full = tmp_path if with_cache else Path(tempfile.gettempdir())
    room = {full: 20_000}

    def usage(place):
        return SimpleNamespace(free=room.get(Path(place), 1e12))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    cache = tmp_path / "features.sqlite" if with_cache else None
    options = {"cache": cache, "n_jobs": 1, "progress": False}
    with pytest.raises(ValueError, match=rf"{in_bytes(20_000)} are free in '{full}': name a cache"):
        sl.find_copies(folder, **options)
    room.clear()
    assert len(sl.find_copies(folder, **options)) == 0


def test_times_are_said_in_their_units():
    expected = Forecast(100_000, 9 * 3600.0, 1800.0, 4e9, 16e9)
    words = (
        "100,000 pictures: about 9.0 h for features, 30 min for the search, 4.0 GB of memory,"
        " 16 GB of disk"
    )
    assert str(expected) == words


def test_an_index_grows_as_it_is_built():
    random = np.random.default_rng(0)
    sample = random.integers(0, 256, (10, 900, 61), dtype=np.uint8)
    packed = [sl.methods.packing.pack((np.zeros((900, 3)), codes)) for codes in sample]
    index = indexes.KeypointIndex().filled(packed)
    # 141 lists, then 563, of which 8 are looked into
    assert index.growth(4) == pytest.approx((4 * 9000 / 64 + 512) / (9000 / 64 + 512))
    assert index.n_bytes == 9000 * (32 + 48 + index.owner.itemsize)
