"""A search that was stopped goes on, and a folder that grew costs what was added: by counting what
is made.
"""

import os
import signal
import subprocess
import sys
from collections import Counter

import pytest
from conftest import ROOT
from corpus import textured
from test_search import recipe

import simlab as sl
from simlab import perturb
from simlab.methods import overlap
from simlab.scoring import features, table
from simlab.search import library, lying

STEPS = ("feature", "vote", "comparison", "overlap")


@pytest.fixture(scope="module")
def fitted():
    return recipe(("phash", "akaze_inliers"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        plant(root, number)
    return root


def plant(root, number):
    """A picture and a crop of it."""
    picture = textured(number)
    picture.save(root / f"{number}.png")
    perturb.apply(picture, "crop(area=0.6)").save(root / f"{number} crop.png")


class Made:
    """Counts what a search makes, by step; with `stop`, it is interrupted at that count of one."""

    def __init__(self, patch):
        self.counts = Counter()
        self.pairs = set()
        self.stop = {}
        for step, module, name in (
            ("feature", features, "_extract_variant"),
            ("vote", library, "_vote"),
            ("comparison", table, "_compare_pair"),
            ("overlap", overlap, "between"),
        ):
            patch.setattr(module, name, self.counted(step, getattr(module, name)))
        with_features = table._with_features

        def noted(scoring, chunk):
            rows = [row for _, row in chunk]
            pairs = scoring.pairs.iloc[rows][["reference", "query"]]
            self.pairs.update(pairs.itertuples(index=False, name=None))
            return with_features(scoring, chunk)

        patch.setattr(table, "_with_features", noted)

    def counted(self, step, function):
        def counting(*arguments, **options):
            self.counts[step] += 1
            if self.counts[step] == self.stop.get(step):
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return counting


@pytest.fixture
def made(monkeypatch):
    # small parts, so that a few pictures have several
    monkeypatch.setattr(library, "BALLOT", 4)
    monkeypatch.setattr(table, "CHUNK", 4)
    monkeypatch.setattr(lying, "_PART", 2)
    return Made(monkeypatch)


def csv(folder, fitted, cache=None):
    found = sl.find_copies(folder, fitted, cache=cache, n_jobs=1, progress=False)
    assert len(found) >= 4
    return found.to_csv(index=False)


def test_a_search_that_is_stopped_anywhere_goes_on_from_there(folder, fitted, made, tmp_path):
    whole = csv(folder, fitted)
    at_once = dict(made.counts)
    assert set(at_once) == set(STEPS) and min(at_once.values()) >= 3
    made.counts.clear()
    for step in STEPS:
        made.stop = {step: made.counts[step] + at_once[step] // 2}
        with pytest.raises(KeyboardInterrupt):
            csv(folder, fitted, tmp_path / "cache.sqlite")
    made.stop = {}
    assert csv(folder, fitted, tmp_path / "cache.sqlite") == whole
    # at each stop what was under way is lost: a picture, a ballot, a part of 4 pairs, one of 2
    for step, lost in zip(STEPS, (1, 1, 4, 2)):
        assert made.counts[step] <= at_once[step] + lost, step
    made.counts.clear()
    assert csv(folder, fitted, tmp_path / "cache.sqlite") == whole and not made.counts


def test_a_folder_that_grew_costs_what_was_added(folder, fitted, made, tmp_path):
    root = tmp_path / "grown"
    root.mkdir()
    for path in folder.iterdir():
        os.link(path, root / path.name)
    csv(root, fitted, tmp_path / "cache.sqlite")
    for number in (6, 7):
        plant(root, number)
    made.counts.clear()
    compared = set(made.pairs)
    made.pairs.clear()
    grown = csv(root, fitted, tmp_path / "cache.sqlite")
    added = {"6.png", "6 crop.png", "7.png", "7 crop.png"}
    n_found = sum(line.startswith(("6", "7")) for line in grown.splitlines())
    assert n_found and made.counts["overlap"] == n_found
    # those that are found are looked at once more, for what says how they lie
    assert made.counts["feature"] == len(added) + 2 * n_found
    assert made.pairs and not compared & made.pairs
    # a new picture may change whom the others vote for, but for a few
    assert sum(not added.intersection(pair) for pair in made.pairs) <= 2
    assert grown == csv(root, fitted)


KILLED = """
import os, signal, sys
import simlab as sl
from simlab.scoring import table

compare, calls = table._compare_pair, []

def dying(*arguments):
    calls.append(1)
    if len(calls) == 9:
        os.kill(os.getpid(), signal.SIGKILL)
    return compare(*arguments)

table.CHUNK, table._compare_pair = 4, dying
folder, recipe, cache = sys.argv[1:]
sl.find_copies(folder, recipe, cache=cache, n_jobs=1, progress=False)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_a_search_that_is_killed_goes_on(folder, fitted, made, tmp_path):
    whole = csv(folder, fitted)
    at_once = dict(made.counts)
    fitted.save(tmp_path / "recipe.json")
    places = [folder, tmp_path / "recipe.json", tmp_path / "cache.sqlite"]
    command = [sys.executable, "-c", KILLED, *map(str, places)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    made.counts.clear()
    assert csv(*places) == whole
    # what is left are the looks of found pictures
    assert made.counts["feature"] == at_once["feature"] - len(list(folder.iterdir()))
    assert made.counts["vote"] == 0
    assert made.counts["comparison"] == at_once["comparison"] - 8
