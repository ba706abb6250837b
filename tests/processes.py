"""What tests of stopped runs look at: rows in a cache, and the processes that are still there."""

import os
import time
from pathlib import Path

from simlab.scoring.cache import Cache


def rows_of(path):
    if not path.exists():
        return 0
    with Cache(path) as kept:
        return kept._connection.execute("SELECT count(*) FROM entries").fetchone()[0]


def until(condition, seconds):
    end = time.perf_counter() + seconds
    while not condition():
        assert time.perf_counter() < end, f"not after {seconds} s"
        time.sleep(0.1)


def processes(belongs):
    """The living processes whose (parent, session) is so."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):
        try:
            fields = Path("/proc", entry, "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[0] != "Z" and belongs(int(fields[1]), int(fields[3])):
            found.append(int(entry))
    return found


def members(session):
    """The living processes of a session that a test began."""
    return processes(lambda parent, own: own == session)
