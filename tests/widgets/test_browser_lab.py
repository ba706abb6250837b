"""The harness itself, and what `make lab` opens."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def test_the_harness_runs_restarts_and_sees_failures(lab, browser):
    with lab.open(
        browser, lab.write("mine.ipynb", "import simlab; simlab.__file__", "undefined")
    ) as notebook:
        for _ in range(2):
            with pytest.raises(AssertionError, match="NameError"):
                notebook.run_all()
            assert notebook.panel.locator(".jp-InputPrompt").first.inner_text() == "[1]:"
            assert str(ROOT) in notebook.panel.locator(".jp-OutputArea-output").first.inner_text()
            notebook.restart_kernel()
        assert notebook.faults == []


def test_make_lab_opens_a_list_of_the_notebooks(lab, browser):
    from tests.lab import Notebook, expect, made

    with browser.new_page(viewport={"width": 1280, "height": 1000}) as page:
        page.goto(lab.url(made("LAB_START").lstrip("/")), wait_until="domcontentloaded")
        row = page.get_by_role("row").filter(has_text="11 · The explorer")
        expect(row.get_by_role("cell").last).to_have_text(re.compile(r"^\d+$"))
        Notebook(page).screenshot("start")
        row.get_by_role("link").click()
        expect(page.locator(".jp-Notebook")).to_contain_text(
            "The widget is drawn here when you run the cell"
        )
        Notebook(page).wait_for_kernel()  # one that starts is not ended
    lab.end_kernels()
