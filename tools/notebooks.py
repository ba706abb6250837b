"""Execute the notebooks and save them with their outputs, so that two runs give the same bytes.

    python tools/notebooks.py              every notebook in notebooks/, saved in place
    python tools/notebooks.py --check      the same in a temporary folder; nothing is saved
    python tools/notebooks.py --start      only write START.md, the list that `make lab` opens

A notebook runs in a temporary folder laid out like the repository, in a kernel of this interpreter,
with an empty cache and no progress bars. What differs from run to run or between machines is taken
out of the result.
"""

import argparse
import base64
import csv
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpecManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "notebooks"
SEEN_BY_NOTEBOOKS = ("benchmarks", "datasets")
TIMES = FOLDER / "times.csv"
START = FOLDER / "START.md"
START_JA = FOLDER / "START.ja.md"
WANTED = """# I want to …

| … | open |
|---|---|
| find the copies in a folder of mine, and decide what stays | [14](14_your_own_folder.ipynb) |
| see in five minutes what this is about | [00](00_quickstart.ipynb) |
| know which method finds which copies | [04](04_compare_methods.ipynb) |
| weigh accuracy against cost | [09](09_accuracy_and_cost.ipynb) |
| choose a threshold | [07](07_thresholds.ipynb), [15](15_thresholds_of_tools.ipynb) |
| join several methods, with weights | [08](08_ensemble.ipynb) |
| tell copies from look-alikes, and group them | [10](10_find_and_group.ipynb) |
| see what goes wrong | [13](13_failures.ipynb), [11](11_explore.ipynb) |
| label pairs of my own | [12](12_label_your_own.ipynb) |
| add a method or a network of mine | [05](05_your_own_method.ipynb) |
| trust a number | [06](06_evaluation.ipynb) |

Click a notebook to open it, and choose *Run → Run All Cells*, or go from cell to cell with
*Shift+Enter*. Each runs on the pictures that come with simlab; 14 is for a folder of your own.
([日本語](START.ja.md))

## All notebooks

The seconds are of one processor core, on the machine that saved the notebooks.

| notebook | seconds |
|---|--:|
"""
WANTED_JA = """# したいこと

| したいこと | ノートブック |
|---|---|
| 自分のフォルダーの中のコピーを見つけ、何を残すか決める | [14](14_your_own_folder.ipynb) |
| 5 分で全体を知る | [00](00_quickstart.ipynb) |
| どの手法がどの種類のコピーを見つけるか知る | [04](04_compare_methods.ipynb) |
| 精度と費用を比べる | [09](09_accuracy_and_cost.ipynb) |
| しきい値を選ぶ | [07](07_thresholds.ipynb)、[15](15_thresholds_of_tools.ipynb) |
| いくつかの手法を重み付きで一つにする | [08](08_ensemble.ipynb) |
| コピーと似た別画像を見分け、グループにする | [10](10_find_and_group.ipynb) |
| 何がうまくいかないか見る | [13](13_failures.ipynb)、[11](11_explore.ipynb) |
| 自分のペアにラベルを付ける | [12](12_label_your_own.ipynb) |
| 自分の手法やネットワークを加える | [05](05_your_own_method.ipynb) |
| 数字を信頼できるものにする | [06](06_evaluation.ipynb) |

ノートブックをクリックして開き、*Run → Run All Cells* を選ぶか、*Shift+Enter* で
一セルずつ進みます。どれも simlab に付いてくる画像で動きます。
14 は自分のフォルダー用です。([English](START.md))

## すべてのノートブック(英語)

秒数は、保存したマシンのプロセッサー 1 コアでの時間です。

| ノートブック | 秒 |
|---|--:|
"""
CELL_TIMEOUT = 300  # seconds; far above what a cell may take, for slow machines

METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"
PICTURES = {"image/png", "image/jpeg"}
PNG_SIGNATURE_BYTES = 8
PNG_TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt", b"tIME")


class OwnKernel(AsyncKernelManager):
    """A kernel of this interpreter, whatever kernels the user has installed under the same name."""

    def __init__(self, **options):
        super().__init__(**options, kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))


def execute(path, folder, seconds=None, *, begin=""):
    """The notebook at `path` with fresh, cleaned outputs; `folder` is an empty folder that the run
    may fill.

    Args:
        begin: Python that the kernel runs before the first cell.
        seconds: a list to which the processor time of the kernel and its workers is added after
        each cell.

    Raises: an error of nbclient when a cell fails, takes too long or kills its kernel.
    """
    notebook = nbformat.read(path, as_version=4)
    for name in SEEN_BY_NOTEBOOKS:
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    (folder / "notebooks").mkdir()
    write_beginning(folder / "ipython", begin)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        kernel_manager_class=OwnKernel,
        extra_arguments=["--log-level=ERROR"],
        timeout=CELL_TIMEOUT,
        record_timing=False,
        coalesce_streams=True,  # how output is cut into messages is a matter of timing
        resources={"metadata": {"path": str(folder / "notebooks")}},
    )
    if seconds is not None:
        # after the last cell, as the kernel is gone when the notebook is done
        client.on_cell_executed = lambda **_: seconds.append(
            processor_time(client.km.provisioner.pid)
        )
    client.execute(env=kernel_environment(folder))
    return clean(notebook)


def write_beginning(home, begin):
    """Lets every kernel with this home of IPython's run some Python before its first cell."""
    startup = home / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "begin.py").write_text(begin, encoding="utf-8")


def processor_time(pid):
    """What a process and all below it have used, in seconds; unlike the time on the wall, other
    work does not count.
    """
    kernel = psutil.Process(pid)
    times = [process.cpu_times() for process in (kernel, *kernel.children(recursive=True))]
    return (
        sum(each.user + each.system for each in times)
        + times[0].children_user
        + times[0].children_system
    )


def kernel_environment(folder):
    return {
        **os.environ,
        "IPYTHONDIR": str(folder / "ipython"),  # no start-up files of the user's
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(ROOT),  # this checkout, installed or not
        "SIMLAB_CACHE": str(folder / "cache"),
        "TQDM_DISABLE": "1",
    }


def clean(notebook):
    """The notebook itself, changed: only what every run gives alike is left in it."""
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {"tags": cell.metadata.tags} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell.outputs = [clean_output(output) for output in cell.outputs if is_kept(output)]
    prose = ""
    for cell in reversed(notebook.cells):
        if cell.cell_type == "markdown":
            prose = cell.source
        describe(cell.get("outputs", []), prose)
    notebook.metadata = METADATA
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return nbformat.from_dict(notebook)


def describe(outputs, prose):
    """Give figures that simlab did not draw, and which say nothing of themselves, alternative text:
    what is said of them in the next cell of prose, without its marks.
    """
    words = prose.split("\n\n")[0].replace("**", "").replace("`", "")
    for output in outputs:
        for kind in PICTURES.intersection(output.get("data", {})):
            output.metadata.setdefault(kind, {}).setdefault("alt", words)


def is_kept(output):
    """False for what goes to stderr (progress, warnings) and for widgets, which GitHub
    cannot draw.
    """
    return output.get("name") != "stderr" and WIDGET not in output.get("data", {})


def clean_output(output):
    png = output.get("data", {}).get("image/png")
    if png:
        output.data["image/png"] = base64.b64encode(without_text(base64.b64decode(png))).decode(
            "ascii"
        )
    return output


def without_text(png):
    """The bytes of a PNG file without its text and time chunks: matplotlib writes its version
    there.
    """
    kept, start = [png[:PNG_SIGNATURE_BYTES]], PNG_SIGNATURE_BYTES
    while start < len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4])  # length, kind, data, checksum
        if png[start + 4 : start + 8] not in PNG_TEXT_CHUNKS:
            kept.append(png[start:end])
        start = end
    return b"".join(kept)


def text_of(cell):
    """What a code cell printed and returned, as text."""
    outputs = cell.get("outputs", [])
    return [
        "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
        for output in outputs
    ]


def changed_cells(saved, fresh):
    """Numbers (from 1) of the cells that print something else now than when the notebook
    was saved.
    """
    pairs = enumerate(zip(saved.cells, fresh.cells, strict=True), 1)
    return [number for number, (old, new) in pairs if text_of(old) != text_of(new)]


def run(path, check):
    """One line that says how it went, whether it went well, and how long it took in seconds of one
    core.
    """
    seconds = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            notebook = execute(path, Path(folder), seconds)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return f"{path.name}: {error}", False, None
    note = ""
    if check:
        changed = changed_cells(nbformat.read(path, as_version=4), notebook)
        note = f"; prints something new in cells {changed}: make notebooks" if changed else ""
    else:
        save(notebook, path)
    return f"{path.name}: {seconds[-1]:.0f} s{note}", True, seconds[-1]


def save(notebook, path):
    """Writes under a temporary name, then moves: an interrupted run leaves the old
    notebook whole.
    """
    temporary = path.with_suffix(".tmp")
    nbformat.write(notebook, temporary)
    temporary.replace(path)


def read_times():
    """Seconds by name of the notebook, as they were saved."""
    if not TIMES.exists():
        return {}
    with TIMES.open(encoding="utf-8", newline="") as file:
        return {row["notebook"]: row["seconds"] for row in csv.DictReader(file)}


def note_times(times):
    """Adds seconds by name to those that were saved, and forgets notebooks that are gone."""
    known = {**read_times(), **{name: f"{seconds:.0f}" for name, seconds in times.items()}}
    rows = [
        f"{path.name},{known[path.name]}"
        for path in sorted(FOLDER.glob("*.ipynb"))
        if path.name in known
    ]
    TIMES.write_text("\n".join(["notebook,seconds", *rows, ""]), encoding="utf-8")


def start_page(head=WANTED):
    """What one may want, and the list of notebooks as Markdown: the title of each, which says what
    it is about, and how long it runs.
    """
    times = read_times()
    rows = [
        f"| [{title(path)}]({path.name}) | {times.get(path.name, '')} |"
        for path in sorted(FOLDER.glob("*.ipynb"))
    ]
    return head + "\n".join([*rows, ""])


def title(path):
    """The first line of a notebook."""
    return nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# ")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, default=sorted(FOLDER.glob("*.ipynb")))
    parser.add_argument("--check", action="store_true", help="save nothing; fail on an error")
    parser.add_argument(
        "--start", action="store_true", help="execute nothing; write the list of notebooks"
    )
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default: 2)")
    options = parser.parse_args()
    went_well, times = True, {}
    with ThreadPoolExecutor(options.jobs) as pool:
        chosen = [] if options.start else options.notebooks
        for path, (line, good, seconds) in zip(
            chosen, pool.map(lambda path: run(path, options.check), chosen)
        ):
            print(line, file=sys.stdout if good else sys.stderr, flush=True)
            went_well &= good
            times |= {path.name: seconds} if good else {}
    if not options.check:
        note_times(times)
        START.write_text(start_page(), encoding="utf-8")
        START_JA.write_text(start_page(WANTED_JA), encoding="utf-8")
    sys.exit(not went_well)


if __name__ == "__main__":
    main()
