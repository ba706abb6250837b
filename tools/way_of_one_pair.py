"""Prints the way of one pair: the files and functions of simlab that scoring it walks through.

The pair is two different pictures of the sample, scored by one hash, without a cache, in this
process, and for the second time: what is imported or read once for all is not counted.

    .venv/bin/python tools/way_of_one_pair.py           # the numbers
    .venv/bin/python tools/way_of_one_pair.py --all     # and each function, in the order of calls

A comprehension, a generator expression and a lambda belong to the function they stand in.
"""

import itertools
import sys
from pathlib import Path

import simlab as sl

PACKAGE = Path(sl.__file__).parent


def main() -> None:
    walked = way_of_one_pair()
    functions = list(dict.fromkeys(walked))
    files = list(dict.fromkeys(file for file, _ in walked))
    n_changes = sum(before[0] != after[0] for before, after in itertools.pairwise(walked))
    print(f"{len(files)} files, {len(functions)} functions, {n_changes} changes of file")
    for file in files:
        names = [name for of_file, name in functions if of_file == file]
        print(f"  {file}: {len(names)}")
    if "--all" in sys.argv:
        for file, name in functions:
            print(f"    {file} {name}")


def way_of_one_pair() -> list[tuple[str, str]]:
    """Return (file, function) of each call in the package, in order."""
    sample = sl.datasets.load_sample()
    pairs = sl.make_pairs(sample, "crop", seed=0)
    pair = pairs[pairs["label"] == 0].head(1).assign(perturbation="")
    walked = []

    def note(frame, event, _):
        file = Path(frame.f_code.co_filename)
        name = frame.f_code.co_qualname
        if event == "call" and file.is_relative_to(PACKAGE) and "<" not in name.rsplit(".", 1)[-1]:
            walked.append((file.relative_to(PACKAGE).as_posix(), name))

    score_pairs = sl.score_pairs
    score_pairs(pair, "phash", n_jobs=1, progress=False)
    sys.setprofile(note)
    score_pairs(pair, "phash", n_jobs=1, progress=False)
    sys.setprofile(None)
    return walked


if __name__ == "__main__":
    main()
