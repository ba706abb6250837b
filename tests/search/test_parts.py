"""An index in parts on a Dask cluster finds what one index does, and so does one whose worker is
killed.
"""

import copy
import os
import signal
from collections import Counter

import joblib
import numpy as np
import pytest
from conftest import ROOT
from corpus import textured
from test_search import recipe

import simlab as sl
from simlab import perturb
from simlab.methods.packing import pack
from simlab.scoring import features, table
from simlab.scoring.workers import run
from simlab.search import indexes, library, parts


def packed_features(kind):
    """A feature of 30 pictures, every third of which looks like one before it; one has none."""
    rng = np.random.default_rng(4)
    packed = []
    for number in range(30):
        if number % 3 == 0:
            value = rng.integers(0, 256, (40, 61), dtype=np.uint8)
        noise = rng.integers(0, 256, value.shape, dtype=np.uint8)
        noise &= rng.integers(0, 256, value.shape, dtype=np.uint8) & 0b1001
        near = value ^ noise
        if kind == "keypoints":
            packed.append(pack((np.zeros((40, 2), np.float32), near)))
        elif kind == "bits":
            packed.append(pack(np.unpackbits(near[0, :8]) > 0))
        else:
            packed.append(pack(near[0].astype(np.float32)))
    packed[7] = b""
    return packed


INDEXES = {
    "keypoints": lambda: indexes.KeypointIndex(mirrored=True),
    "bits": indexes.HashIndex,
    "vector": indexes.VectorIndex,
}


class Here:
    """What stands in for the client of a cluster: all is copied to it, and done at once."""

    def __init__(self, n_workers):
        self.n_workers = n_workers

    def ncores(self):
        return {f"worker {number}": 1 for number in range(self.n_workers)}

    def submit(self, function, *arguments, **_):
        return function(*copy.deepcopy(arguments))

    def map(self, function, values, **_):
        return [self.submit(function, value) for value in values]

    def gather(self, futures):
        return futures


@pytest.mark.parametrize("flat", [0, 10_000])
@pytest.mark.parametrize("kind", INDEXES)
def test_any_number_of_parts_gives_the_same_candidates(kind, flat, monkeypatch):
    monkeypatch.setattr(indexes, "FLAT", flat)
    packed = packed_features(kind)
    monkeypatch.setattr(parts, "BLOCK", 4)
    asked = [packed, packed[::-1]]
    starts = range(0, len(packed), 10)

    def ballot(start):
        return [in_orientation[start : start + 10] for in_orientation in asked]

    index = INDEXES[kind]().filled(packed)
    whole = [index.candidates(ballot(at), n=indexes.BEST + 1, near=0.16) for at in starts]
    assert sum(len(found.query) for found in whole) > 60
    for n_parts in (1, 2, 5):
        found = dict(parts.found_in_parts(Here(n_parts), INDEXES[kind](), packed, starts, ballot))
        assert list(found) == list(starts)
        for one, other in zip(whole, found.values()):
            assert [a.tobytes() for a in one] == [a.tobytes() for a in other]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        picture = textured(number)
        picture.save(root / f"{number}.png")
        perturb.apply(picture, "crop(area=0.6)").save(root / f"{number} crop.png")
    (root / "no picture.png").write_bytes(b"nothing")
    return root


@pytest.fixture
def cluster(monkeypatch):
    """The client of two worker processes, which import this package as it stands here."""
    distributed = pytest.importorskip("distributed")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    monkeypatch.setenv("PYTHONPATH", path)
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0"
    )
    with local, distributed.Client(local) as client:
        yield client


def test_killed_workers_cost_time_only(folder, cluster, monkeypatch):
    """One while features are made, one while its part is asked, one while pairs are compared."""
    fitted = recipe(("phash", "akaze_inliers"))
    monkeypatch.setattr(indexes, "FLAT", 200)
    monkeypatch.setattr(library, "BALLOT", 3)
    alone = sl.find_copies(folder, fitted, n_jobs=1, progress=False)
    assert len(alone) >= 4
    calls = Counter()

    def killing(module, name, *, at):
        original = getattr(module, name)

        def killer(*arguments):
            calls[name] += 1
            if calls[name] == at:
                os.kill(cluster.cluster.workers[0].pid, signal.SIGKILL)
            return original(*arguments)

        monkeypatch.setattr(module, name, killer)

    killing(features.Store, "data", at=5)
    killing(parts, "_asked", at=2)
    killing(table, "_with_features", at=1)
    with joblib.parallel_config(backend="dask"):
        found = sl.find_copies(folder, fitted, read="workers", progress=False)
    assert min(calls["data"] - 4, calls["_asked"] - 1, calls["_with_features"]) >= 1
    assert found.to_csv() == alone.to_csv()
    assert found.attrs["errors"] == alone.attrs["errors"] and len(alone.attrs["errors"]) == 1


def test_a_task_that_kills_each_worker_costs_itself_only(cluster):
    def deadly(number):
        if number == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    cluster.cluster.scheduler.allowed_failures = 0  # to save time: a task that was tried once fails
    with joblib.parallel_config(backend="dask"):
        done = dict(run(deadly, ((number, (number,)) for number in range(8)), n_jobs=-1))
    assert "died twice" in done.pop(3)
    assert done == {number: number for number in range(8) if number != 3}
