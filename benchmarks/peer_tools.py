"""The pairs that one other tool calls copies, written as JSON.

    python benchmarks/peer_tools.py TOOL FOLDER OUT.json
    python benchmarks/peer_tools.py --list

It is run by the Python of an environment that holds these tools and not simlab: see peers.py. Each
tool has the threshold it ships; hashes of 64 bits without one have imagededup's, 10 bits.
"""

import json
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np

BITS = 10
"""Bits of 64 within which two hashes are a pair, where a tool ships no threshold."""


def main() -> None:
    """Ask the tool, and write its pairs by the names of the files."""
    if sys.argv[1:] == ["--list"]:
        print("\n".join(TOOLS))
        return
    tool, folder, out = sys.argv[1:]
    paths = sorted(path for path in Path(folder).iterdir() if path.is_file())
    pairs = TOOLS[tool](paths)
    names = sorted({tuple(sorted((Path(one).name, Path(other).name))) for one, other in pairs})
    Path(out).write_text(json.dumps([pair for pair in names if pair[0] != pair[1]]))


def imagehash_numpy(paths):
    """imagehash's phash, all pairs by numpy."""
    import imagehash
    from PIL import Image

    hashes = np.array([imagehash.phash(Image.open(path)).hash.ravel() for path in paths])
    n_differing = (hashes[:, None] != hashes).sum(axis=2)
    first, second = np.nonzero(np.triu(n_differing <= BITS, 1))
    return [(paths[one], paths[other]) for one, other in zip(first, second)]


def imagededup_phash(paths):
    """imagededup's perceptual hash with its threshold, 10 bits."""
    from imagededup.methods import PHash

    workers = {"num_enc_workers": 1, "num_dist_workers": 1}
    found = PHash(verbose=False).find_duplicates(image_dir=str(paths[0].parent), **workers)
    return [(file, other) for file, others in found.items() for other in others]


def perception_phash(paths):
    """perception's PHash."""
    from perception import hashers, tools

    thresholds = [(hashers.PHash(), BITS / 64)]
    return tools.deduplicate([str(path) for path in paths], thresholds)


def perception_phash_isometric(paths):
    """The same in all eight orientations."""
    from perception import hashers, tools

    thresholds = [(hashers.PHash(), BITS / 64)]
    return tools.deduplicate([str(path) for path in paths], thresholds, isometric=True)


def perception_local(paths):
    """perception's SIFT keypoints with its own thresholds."""
    from perception import local_descriptor_deduplication as local

    return local.deduplicate([str(path) for path in paths], use_gpu=False, max_workers=1)


def difpy(paths):
    """difPy's "similar" pictures of any size: small copies, compared by their squared error."""
    import difPy

    quiet = {"show_progress": False, "processes": 1}
    built = difPy.build(str(paths[0].parent), **quiet)
    found = difPy.search(built, similarity="similar", same_dim=False, **quiet).result
    pairs = []
    for file, others in found.items():
        pairs.extend((file, other[0]) for other in others)
    return pairs


def findimagedupes(paths):
    """The program findimagedupes at its threshold, 90 %: a line of files for each group."""
    command = ["findimagedupes", "--null", "-"]
    listed = "\0".join(map(str, paths))
    done = subprocess.run(command, input=listed, capture_output=True, text=True, check=True)
    pairs = []
    for line in done.stdout.splitlines():
        pairs.extend(combinations(line.split(), 2))
    return pairs


TOOLS = {
    "imagehash + numpy": imagehash_numpy,
    "imagededup": imagededup_phash,
    "perception": perception_phash,
    "perception, 8 orientations": perception_phash_isometric,
    "perception, keypoints": perception_local,
    "difPy": difpy,
    "findimagedupes": findimagedupes,
}


if __name__ == "__main__":
    main()
