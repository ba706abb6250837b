"""What a long search says beforehand, and that one which does not fit is refused."""

import re
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from corpus import textured

import simlab as sl
from simlab.messages import in_bytes
from simlab.search import indexes, library
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
    words = rf"10 pictures: about {number} for features, {number} for the search, \d.* of memory"
    assert re.fullmatch(words, said)
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


def test_times_are_said_in_their_units():
    expected = Forecast(100_000, 9 * 3600.0, 1800.0, 4e9)
    words = "100,000 pictures: about 9.0 h for features, 30 min for the search, 4.0 GB of memory"
    assert str(expected) == words


def test_an_index_grows_as_it_is_built():
    random = np.random.default_rng(0)
    sample = random.integers(0, 256, (10, 900, 61), dtype=np.uint8)
    packed = [sl.methods.packing.pack((np.zeros((900, 3)), codes)) for codes in sample]
    index = indexes.KeypointIndex().filled(packed)
    # 141 lists, then 563, of which 8 are looked into
    assert index.growth(4) == pytest.approx((4 * 9000 / 64 + 512) / (9000 / 64 + 512))
    assert index.n_bytes == 9000 * (32 + 48 + index.owner.itemsize)
