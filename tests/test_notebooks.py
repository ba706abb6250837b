"""Every notebook runs from its first cell to its last, afresh, in a temporary folder."""

import base64
import io
import warnings

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, PngImagePlugin

from tools import notebooks

NOTEBOOKS = sorted(notebooks.FOLDER.glob("*.ipynb"))


def saved(folder, *sources):
    path = folder / "example.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_runs(path, tmp_path):
    fresh = notebooks.execute(path, tmp_path)
    nbformat.validate(fresh)
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


def test_notebooks_are_named_with_a_number():
    assert [path.name for path in NOTEBOOKS if not path.name[:2].isdigit()] == []


def test_the_start_page_lists_every_notebook_with_its_title_and_time():
    page = notebooks.START.read_text(encoding="utf-8")
    assert page == notebooks.start_page(), "python tools/notebooks.py --start writes it"
    assert list(notebooks.read_times()) == [path.name for path in NOTEBOOKS]
    assert all(f"]({path.name}) |" in page for path in NOTEBOOKS)


def test_times_are_kept_for_the_notebooks_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(notebooks, "FOLDER", tmp_path)
    monkeypatch.setattr(notebooks, "TIMES", tmp_path / "times.csv")
    (path := saved(tmp_path, "1")).rename(tmp_path / "00_first.ipynb")
    saved(tmp_path, "1").rename(tmp_path / "01_second.ipynb")
    notebooks.note_times({"00_first.ipynb": 3.6, "01_second.ipynb": 2, path.name: 9})
    notebooks.note_times({"01_second.ipynb": 5.2})
    assert notebooks.read_times() == {"00_first.ipynb": "4", "01_second.ipynb": "5"}
