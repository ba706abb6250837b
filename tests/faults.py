"""Runs a verb of simlab again and again while the file system fails, or the process dies, at its
N-th operation.

It runs under faults.so (see faults.c), imports everything once, and forks a process for each N: 1,
1 + STEP, … until the verb succeeds. After each failure that leaves something new the verb runs once
more, undisturbed. "label" stands for the labeller's file.

    faults.py PICTURES WORK KIND:STEP,KIND:STEP… VERB…

A KIND is full, broken or kill; of each a line says how many operations failed.
"""

import ctypes
import errno
import io
import json
import os
import shutil
import signal
import sys
import warnings
from contextlib import redirect_stderr
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")

from simlab import cli, plots, scoring
from simlab.pairs import labelling
from simlab.report import study_sections

SHIM = ctypes.CDLL(None)
DIED, REFUSED, TRACEBACK = -signal.SIGKILL, 1, 70


def render_nothing(ax, path, **options):
    """Figures are made, not drawn, which takes the longest; their files are written all
    the same.
    """
    Path(path).write_bytes(b"figure")
    return path


def take_no_time(images, methods):
    """What methods take is never the same twice."""
    return pd.DataFrame({"method": methods, "ms_picture": 1.0, "ms_pair": 1.0, "megapixels": 1.0})


class Noon(labelling.datetime):
    """Labels are given at one time, so that two files of them are alike."""

    @classmethod
    def now(cls, zone=None):
        return cls(2000, 1, 1, 12, tzinfo=zone)


def label(arguments):
    """Label three pairs, those that are not labelled yet, as a person does who begins again after a
    crash.
    """
    try:
        kept = labelling.LabelFile(arguments[1], root=arguments[0])
        for n in (0, 1, 2):
            pair = {"reference": f"{n}.png", "query": f"{(n + 1) % 3}.png"}
            if labelling.identity(pair) not in kept.rows:
                kept.add(pair, n % 2)
    except ValueError as error:
        print(f"simlab: {error}", file=sys.stderr)
        return 1
    return 0


def run(arguments, n, error):
    """Run the verb in a process of its own; returned are its exit status, what it said, and how
    many operations.
    """
    read, write = os.pipe()
    if not (child := os.fork()):
        status, said = TRACEBACK, io.StringIO()
        try:
            SHIM.fault_at(ctypes.c_long(n), error)
            with redirect_stderr(said), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                status = label(arguments[1:]) if arguments[0] == "label" else cli.main(arguments)
        except BaseException as caught:
            said.write(f"{type(caught).__name__}: {caught}")
        count = SHIM.fault_count()
        SHIM.fault_at(ctypes.c_long(0), 0)
        os.write(write, f"{count}\n{said.getvalue()[-3000:]}".encode())
        os._exit(status)
    os.close(write)
    with open(read, "rb") as pipe:
        count, _, said = pipe.read().decode().partition("\n")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, said, int(count or 0)


def files(folder):
    """Visible files below a folder and what they hold."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in found
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }


def is_whole(name, data, expected):
    """A label file grows line by line, and run.json says less at first; all others are there as a
    whole.
    """
    if name.endswith("labels.csv"):
        return expected[name].startswith(data)
    if name.endswith("run.json"):
        return json.loads(data).items() <= json.loads(expected[name]).items()
    return data == expected.get(name)


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "out").mkdir(parents=True)
    return folder


def main(pictures, work, kinds, *verb):
    plots.save, labelling.datetime = render_nothing, Noon
    scoring.timings = take_no_time
    study_sections.RESAMPLES = 5
    folder = fresh(Path(work) / "run")
    verb = [part.replace("PICTURES", pictures).replace("WORK", str(folder)) for part in verb]
    status, said, total = run(verb, 10**9, 0)
    expected = files(folder / "out")
    assert status == 0 and expected and total, (status, said)
    for kind_and_step in kinds.split(","):
        kind, step = kind_and_step.split(":")
        strike(folder, verb, kind, int(step), expected, total)


def strike(folder, verb, kind, step, expected, total):
    """Run the verb with every STEP-th operation failing, and see that nothing is lost."""
    error = {"full": errno.ENOSPC, "broken": errno.EIO, "kill": 0}[kind]
    n, failed, known = 1, 0, set()
    while True:
        fresh(folder)
        status, said, _ = run(verb, n, error)
        found = files(folder / "out")
        assert all(is_whole(name, data, expected) for name, data in found.items()), (
            n,
            status,
            said,
            list(found),
        )
        if status == 0:
            assert found == expected, (n, said)
        else:
            failed += 1
            assert status == (DIED if kind == "kill" else REFUSED), (n, status, said)
            assert kind == "kill" or said.splitlines()[-1].startswith("simlab: "), (n, said)
            left = frozenset(files(folder).items())
            if left not in known:  # what is left is often the same: nothing yet
                known.add(left)
                again, said, _ = run(verb, 10**9, 0)
                assert again == 0 and files(folder / "out") == expected, (n, again, said)
                # killed before the mark was written, or after the files were gone, a folder is
                # nobody's: it stays
                assert not list(folder.glob("out/.partial-*/files/**/*")), n
        if n > total and status == 0:
            break
        n += step
    print(f"{failed} of {n} operations failed")


if __name__ == "__main__":
    main(*sys.argv[1:])
