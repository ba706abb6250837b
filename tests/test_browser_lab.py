"""The harness itself: this checkout is what a kernel imports, a restart forgets, a cell that fails is seen."""

import pytest

pytestmark = pytest.mark.slow


def test_the_harness_runs_restarts_and_sees_failures(lab, browser):
    from tests.lab import ROOT

    with lab.open(browser, lab.write("mine.ipynb", "import simlab; simlab.__file__", "undefined")) as notebook:
        for _ in range(2):
            with pytest.raises(AssertionError, match="NameError"):
                notebook.run_all()
            assert notebook.panel.locator(".jp-InputPrompt").first.inner_text() == "[1]:"
            assert str(ROOT) in notebook.panel.locator(".jp-OutputArea-output").first.inner_text()
            notebook.restart_kernel()
        assert notebook.faults == []
