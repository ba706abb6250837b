"""Every notebook runs from its first cell to its last, afresh, in a temporary folder."""

import base64
import io
import re
import warnings

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, PngImagePlugin

import simlab as sl
from tools import notebooks
from tools.notebooks import text_of

NOTEBOOKS = sorted(notebooks.FOLDER.glob("*.ipynb"))


def saved(folder, *sources):
    path = folder / "example.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path, tmp_path, keeping):
    fresh = notebooks.execute(path, tmp_path, begin=keeping)
    nbformat.validate(fresh)
    for cell in fresh.cells:
        for output in cell.get("outputs", []):
            for kind in notebooks.PICTURES.intersection(output.get("data", {})):
                assert output.metadata[kind]["alt"], "a figure without alternative text"
    changed = notebooks.changed_cells(nbformat.read(path, as_version=4), fresh)
    if changed:  # last digits may differ on another kind of processor: a note, not a failure
        warnings.warn(
            f"{path.name} prints something new in cells {changed}: make notebooks", stacklevel=1
        )


def test_two_runs_save_the_same_bytes_and_check_sees_a_change(tmp_path):
    path = saved(
        tmp_path,
        "import sys, ipywidgets, matplotlib.pyplot as plt; plt.plot([1, 2]);",
        "print('seen'); print(100, '%', file=sys.stderr)",
        "ipywidgets.IntSlider()",
        "hash('word')",
    )
    runs = [notebooks.run(path, check=False) and path.read_text(encoding="utf-8") for _ in range(2)]
    assert runs[0] == runs[1]
    assert [part in runs[0] for part in ("seen", "image/png", "100 %", "widget-view")] == [
        True,
        True,
        False,
        False,
    ]
    path.write_text(runs[0].replace("print('seen')", "print('new')"), encoding="utf-8")
    line, good, seconds = notebooks.run(path, check=True)
    assert good
    assert seconds > 0
    assert "cells [2]" in line


def test_a_failing_cell_is_an_error_and_changes_no_file(tmp_path):
    path = saved(tmp_path, "1 / 0")
    before = path.read_bytes()
    line, good, _ = notebooks.run(path, check=False)
    assert not good
    assert "example.ipynb" in line
    assert "ZeroDivisionError" in line
    assert path.read_bytes() == before


def test_clean_leaves_no_trace_of_one_run():
    output = new_output("display_data", {"text/plain": "x"})
    cell = new_code_cell(
        "x", id="random", metadata={"execution": {"iopub.status": "…"}, "tags": ["kept"]}
    )
    cell.outputs = [output, new_output("stream", name="stderr", text="100%")]
    notebook = new_notebook(
        cells=[new_markdown_cell("text", id="other"), cell], metadata={"widgets": {"state": {}}}
    )
    cleaned = notebooks.clean(notebook)
    assert [cell.id for cell in cleaned.cells] == ["cell-01", "cell-02"]
    assert cleaned.cells[1].metadata == {"tags": ["kept"]}
    assert cleaned.cells[1].outputs == [output]
    assert "widgets" not in cleaned.metadata


def test_a_figure_is_described_by_the_next_prose_whatever_code_lies_between():
    cells = [new_code_cell("draw"), new_code_cell("table"), new_markdown_cell("**Two** `a`.\n\nB")]
    cells[0].outputs = [new_output("display_data", {"image/png": ""})]
    cleaned = notebooks.clean(new_notebook(cells=cells))
    assert cleaned.cells[0].outputs[0].metadata["image/png"]["alt"] == "Two a."


def test_without_text_keeps_the_picture_and_drops_the_version():
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "a version")
    info.add_itxt("Title", "日本語")
    file = io.BytesIO()
    picture = Image.linear_gradient("L")
    picture.save(file, "PNG", pnginfo=info)
    stripped = Image.open(io.BytesIO(notebooks.without_text(file.getvalue())))
    assert stripped.tobytes() == picture.tobytes()
    assert stripped.info == {}
    bare = new_output("display_data", {"image/png": base64.b64encode(file.getvalue()).decode()})
    assert "Software" not in str(base64.b64decode(notebooks.clean_output(bare).data["image/png"]))


def camera_folder(folder):
    """Twelve pictures with the names that a camera gives: six of the sample, and one edited copy of
    each.
    """
    folder.mkdir(parents=True)
    sample = sl.datasets.load_sample()
    for number, path in enumerate(sample["path"][:6]):
        picture = sl.read_image(f"{sample.attrs['root']}/{path}")
        picture.thumbnail((240, 240))
        picture.save(folder / f"DSC_{2 * number + 1:04d}.jpg")
        sl.perturb.apply(picture, "crop(area=0.7)").save(folder / f"DSC_{2 * number + 2:04d}.jpg")


def content(folder):
    """Every file below a folder, by its path."""
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_notebook_14_takes_a_folder_of_ones_own_and_answers_for_nobody(tmp_path, monkeypatch):
    pictures = tmp_path / "home" / "Pictures"
    camera_folder(pictures)
    before = content(tmp_path / "home")
    notebook = nbformat.read(notebooks.FOLDER / "14_your_own_folder.ipynb", as_version=4)
    (place,) = [cell for cell in notebook.cells if cell.source.startswith("my_folder = None")]
    results = tmp_path / "results"
    place.source = f"my_folder = {str(pictures)!r}\nmy_results = {str(results)!r}"
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    (tmp_path / "run").mkdir()

    fresh = notebooks.execute(tmp_path / "mine.ipynb", tmp_path / "run")

    assert content(tmp_path / "home") == before
    assert list((tmp_path / "run" / "notebooks").iterdir()) == []
    assert [path.name for path in content(temporary)] == []
    assert {"cache.sqlite", "pairs.csv", "report"} <= {path.name for path in results.iterdir()}
    assert not list(results.glob("labels*.csv")), "nobody has labelled anything"
    said = "".join(text for cell in fresh.cells for text in text_of(cell))
    assert "12 pictures" in said
    assert "0 answers" in said


def test_no_notebook_compares_every_two_files():
    for path in NOTEBOOKS:
        cells = nbformat.read(path, as_version=4).cells
        source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        assert "combinations(files" not in source, path.name


def test_notebooks_are_named_with_a_number():
    assert [path.name for path in NOTEBOOKS if not path.name[:2].isdigit()] == []


def test_the_start_page_lists_every_notebook_with_its_title_and_time():
    for path, head in (
        (notebooks.START, notebooks.WANTED),
        (notebooks.START_JA, notebooks.WANTED_JA),
    ):
        page = path.read_text(encoding="utf-8")
        assert page == notebooks.start_page(head), "python tools/notebooks.py --start writes it"
        assert all(f"]({notebook.name}) |" in page for notebook in NOTEBOOKS)
        linked = re.findall(r"\]\(([^)]+)\)", head)
        assert {*linked} >= {
            notebook.name for notebook in NOTEBOOKS if notebook.name[:2] != "01"
        } - {
            "02_hashes.ipynb",
            "03_keypoints.ipynb",
        }
        assert all((notebooks.FOLDER / name).is_file() for name in linked)
    assert list(notebooks.read_times()) == [path.name for path in NOTEBOOKS]


def test_times_are_kept_for_the_notebooks_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "TIMES", tmp_path / "times.csv")
    (path := saved(tmp_path, "1")).rename(tmp_path / "00_first.ipynb")
    saved(tmp_path, "1").rename(tmp_path / "01_second.ipynb")
    notebooks.note_times({"00_first.ipynb": 3.6, "01_second.ipynb": 2, path.name: 9})
    notebooks.note_times({"01_second.ipynb": 5.2})
    assert notebooks.read_times() == {"00_first.ipynb": "4", "01_second.ipynb": "5"}
