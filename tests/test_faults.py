"""The file system fails, or the process dies, at the first, second, third … operation: nothing
finished is lost.

As SQLite is tested: faults.c stands before the C library, faults.py makes it strike at every N
until the run succeeds. After each failure no file is half there, and running again gives what an
undisturbed run gives.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from corpus import textured

HERE = Path(__file__).parent
ONE = ["--jobs", "1", "--cache", "WORK/cache/c.sqlite", "--out"]
VERBS = {
    "features": ["features", "PICTURES", *ONE, "WORK/out/f.csv", "--methods", "phash, akaze"],
    "study": [
        "study",
        "PICTURES",
        *ONE,
        "WORK/out",
        "--methods",
        "phash, dhash",
        "--negatives",
        "9",
        "--perturbations",
        "crop",
    ],
    "find": ["find", "PICTURES", *ONE, "WORK/out"],
    "label": ["label", "PICTURES", "WORK/out/labels.csv"],
}


@pytest.fixture(scope="module")
def shim(tmp_path_factory):
    """faults.so, where there is a compiler to make it with."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or not sys.platform.startswith("linux"):
        pytest.skip("needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("shim") / "faults.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", library, HERE / "faults.c", "-ldl"], check=True
    )
    return library


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for n in range(3):
        textured(n, 90, 70).save(folder / f"{n}.png")
    (folder / "text.jpg").write_text("no picture")
    return folder


# the cache with every operation; what only the folder of results knows, with a part of them
@pytest.mark.parametrize(
    ("verb", "below", "kinds", "least"),
    [
        pytest.param("features", "", "full:1", [90], marks=pytest.mark.sweep),
        ("features", "", "full:13,broken:7,kill:7", [6, 8, 14]),
        pytest.param("study", "/out", "full:97", [2], marks=pytest.mark.sweep),
        ("find", "/out", "full:15", [2]),
        pytest.param("find", "/out", "kill:15", [2], marks=pytest.mark.sweep),
        ("label", "", "full:1,broken:1,kill:1", [9, 9, 9]),
    ],
)
def test_whichever_operation_fails_nothing_is_lost(
    verb, below, kinds, least, shim, pictures, tmp_path
):
    environment = {**os.environ, "LD_PRELOAD": str(shim), "FAULTS_BELOW": f"{tmp_path}/run{below}"}
    command = [
        sys.executable,
        HERE / "faults.py",
        pictures,
        tmp_path,
        kinds,
        *VERBS[verb],
    ]
    run = subprocess.run(
        command, cwd=HERE.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-3000:]
    failed = [int(line.split()[0]) for line in run.stdout.splitlines()]
    assert np.greater_equal(failed, least).all() and len(failed) == len(least)
