"""Other tools beside simlab on the same folders: copies found, false pairs, time and memory.

    python benchmarks/peers.py plant PHOTOGRAPHS OUT       folders with known copies, of photographs
    python benchmarks/peers.py run FOLDER --csv OUT.csv    each folder in FOLDER, by each tool
    python benchmarks/peers.py draw OUT.csv OUT.png        what was found, as a figure

A folder to run has pictures/ and truth.csv (file, group); benchmarks/lookalike_kinds.py writes such
folders too. ``run`` makes an environment of its own for the other tools the first time (``--env``),
by pip: some gigabytes, since one of them needs torch. findimagedupes is a program of its own, and
is left out where it is not installed.

Every tool runs in a process of its own, on one core, without a cache. Pairs count as they are
reported; a pair is true where both pictures are of one group. Seconds are of the processor.
Megabytes are the most that were held; less than what this script holds itself is not seen.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from scipy.stats import binomtest

import simlab as sl

HERE = Path(__file__).parent

PACKAGES = [
    "imagededup==0.3.3.post2",
    "Perception==0.9.3",
    "difPy==4.2.1",
    "ImageHash==4.3.2",
    "faiss-cpu",
    "networkit",
    "pandas",
]

EDITS = [
    "crop(area=0.5)",
    "crop(area=0.25)",
    "rotate(degrees=10)",
    "shear(degrees=10)",
    "perspective",
    "text(length=20)",
    "text(length=50)",
    "border(width=0.1)",
    "embed",
    "screenshot",
    "brightness(factor=2)",
    "resize(scale=0.4)",
    "recompress(quality=10)",
    "noise",
    "blur(sigma=2)",
]

PLANTED = {
    "ordinary": "edited photographs",
    "orientations": "turned and mirrored",
    "large": "large photographs",
}
"""What folders are called in the figure; all others are of look-alikes."""

OURS = "#0072b2"
OTHERS = "#666666"

TURNS = [
    "mirror",
    'mirror(axis="vertical")',
    "rotate(degrees=90)",
    "rotate(degrees=180)",
    "rotate(degrees=-90)",
    "mirror+rotate(degrees=90)",
    "mirror+rotate(degrees=-90)",
]


def main() -> None:
    """Plant, run, draw, or ask simlab."""
    options = _options()
    if options.command == "plant":
        plant(options.folder, options.out, options.sources)
    elif options.command == "run":
        run(options)
    elif options.command == "draw":
        draw(pd.read_csv(options.csv), options.out)
    else:
        simlab_pairs(options.folder, options.out)


def plant(photographs: Path, out: Path, n_sources: int) -> None:
    """Write two folders: photographs with one copy of each, edited, and turned or mirrored."""
    table = sl.datasets.as_table(photographs)
    sources = sl.datasets.sample_sources(table, n_sources, seed=3)["path"]
    cropped = [f"{turn}+crop(area=0.5)" for turn in TURNS]
    for name, specs in {"ordinary": EDITS, "orientations": [*TURNS, *cropped]}.items():
        pictures = out / name / "pictures"
        pictures.mkdir(parents=True)
        rows = []
        for number, (path, spec) in enumerate(zip(sources, itertools.cycle(specs))):
            original = f"{number:03}{Path(path).suffix}"
            shutil.copy(photographs / path, pictures / original)
            copy = f"{number:03}_copy.jpg"
            image = sl.perturb.apply(sl.read_image(photographs / path), spec, seed=1)
            image.save(pictures / copy, quality=92)
            rows.append((original, number, ""))
            rows.append((copy, number, spec))
        columns = ["file", "group", "edit"]
        pd.DataFrame(rows, columns=columns).to_csv(out / name / "truth.csv", index=False)


def run(options: argparse.Namespace) -> None:
    """Ask every tool about every folder, and print the table."""
    tools = subprocess.run(
        [sys.executable, HERE / "peer_tools.py", "--list"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    if not shutil.which("findimagedupes"):
        tools.remove("findimagedupes")
    python = environment(options.env)
    rows = []
    for truth_file in sorted(options.folder.glob("*/truth.csv")):
        true = pairs_of(pd.read_csv(truth_file, dtype=str))
        pictures = truth_file.parent / "pictures"
        for tool in ["simlab", *tools]:
            row = {"folder": truth_file.parent.name, "tool": tool}
            row |= measured(tool, pictures, true, python)
            rows.append(row)
            header = len(rows) == 1
            print(pd.DataFrame([row]).to_string(index=False, header=header), flush=True)
    if not rows:
        raise SystemExit(f"no folder with truth.csv in {options.folder}")
    table = pd.DataFrame(rows)
    print(table.to_string(index=False))
    if options.csv:
        table.to_csv(options.csv, index=False)


def draw(table: pd.DataFrame, out: Path) -> None:
    """Draw the share of copies that each tool found, and say beside it how many pairs are false."""
    kinds = table["folder"].map(PLANTED).fillna("folders of look-alikes")
    counts = table.groupby([kinds, "tool"], sort=False)[["copies", "found", "false"]].sum()
    panels = [
        "edited photographs",
        "turned and mirrored",
        "folders of look-alikes",
        "large photographs",
    ]
    tools = list(table["tool"].unique())[::-1]
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.4), sharey=True, layout="constrained")
    for place, panel in zip(axes, panels):
        for height, tool in enumerate(tools):
            row = counts.loc[panel, tool].astype(int)
            interval = binomtest(row["found"], row["copies"]).proportion_ci(method="wilson")
            is_ours = tool == "simlab"
            color = OURS if is_ours else OTHERS
            place.hlines(height, interval.low, interval.high, color=color, linewidth=2)
            place.plot(row["found"] / row["copies"], height, "o", color=color)
            weight = "bold" if is_ours else "normal"
            place.text(1.06, height, f"{row['false']}", color=color, va="center", weight=weight)
        place.set_title(f"{panel}\n{row['copies']} copies", fontsize=10)
        place.set_xlim(-0.04, 1.04)
        place.set_xticks([0, 0.5, 1])
        place.text(1.06, len(tools) - 0.3, "false", color=OTHERS, fontsize=9)
        place.spines[["top", "right", "left"]].set_visible(False)
        place.tick_params(axis="y", length=0)
    axes[0].set_yticks(range(len(tools)), tools)
    axes[0].get_yticklabels()[-1].set_weight("bold")
    figure.supxlabel("share of the copies that are found, with 95 % interval", fontsize=10)
    figure.savefig(out, dpi=110)


def measured(tool: str, pictures: Path, true: set, python: Path) -> dict:
    """Return one row: what a tool found in a folder, and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "pairs.json")
        if tool == "simlab":
            command = [sys.executable, __file__, "simlab", pictures, out]
        else:
            command = [python, HERE / "peer_tools.py", tool, pictures, out]
        seconds, megabytes, error = of_process(command)
        if error:
            return {"error": error}
        found = {tuple(pair) for pair in json.loads(out.read_text())}
    n_right = len(found & true)
    interval = binomtest(n_right, len(true)).proportion_ci(method="wilson")
    return {
        "copies": len(true),
        "found": n_right,
        "recall": round(n_right / len(true), 3),
        "low": round(interval.low, 3),
        "high": round(interval.high, 3),
        "false": len(found - true),
        "seconds": round(seconds, 1),
        "megabytes": round(megabytes),
        "error": "",
    }


def of_process(command: list) -> tuple[float, float, str]:
    """Return processor seconds, peak memory in megabytes, and the last line of an error."""
    one_core = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            list(map(str, command)),
            env=os.environ | one_core,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        last_line = (errors.read().strip().splitlines() or ["it failed"])[-1]
    # of macOS it is bytes
    unit = 2**20 if sys.platform == "darwin" else 2**10
    error = last_line[:200] if process.returncode else ""
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit, error


def simlab_pairs(pictures: Path, out: Path) -> None:
    """Write the copies that simlab finds with its defaults."""
    found = sl.find_copies(pictures, n_jobs=1, progress=False)
    copies = found[found["verdict"] != "look-alike"]
    pairs = []
    for pair in zip(copies["reference"], copies["query"]):
        pairs.append(sorted(pair))
    out.write_text(json.dumps(pairs))


def environment(folder: Path) -> Path:
    """Return the Python of the environment of the other tools; it is made where it is missing."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


def pairs_of(truth: pd.DataFrame) -> set[tuple[str, str]]:
    """Return every two files of a group."""
    pairs = set()
    for _, files in truth.groupby("group")["file"]:
        pairs.update(itertools.combinations(sorted(files), 2))
    return pairs


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    planting = commands.add_parser("plant", help="write folders with known copies")
    planting.add_argument("folder", type=Path, help="photographs, no two of one scene")
    planting.add_argument("out", type=Path)
    planting.add_argument("--sources", type=int, default=100)
    drawing = commands.add_parser("draw", help="what was found, as a figure")
    drawing.add_argument("csv", type=Path)
    drawing.add_argument("out", type=Path)
    asking = commands.add_parser("simlab", help="the pairs that simlab finds, as JSON")
    asking.add_argument("folder", type=Path)
    asking.add_argument("out", type=Path)
    running = commands.add_parser("run", help="ask every tool about every folder")
    running.add_argument("folder", type=Path)
    running.add_argument("--env", type=Path, default=Path("build/peers"))
    running.add_argument("--csv", type=Path, help="write the table there too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
