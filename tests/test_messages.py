"""What a run says: counts in words, and progress only where somebody sees it."""

import io
import sys
import types

import pytest

from simlab.messages import counted, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def drawn(monkeypatch, stream, *arguments, **options):
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(*arguments, **options) as bar:
        bar.update(1)
    return stream.getvalue()


def test_counts_are_in_the_singular_and_in_the_plural():
    assert counted(0, "picture") == "0 pictures"
    assert counted(1, "unreadable picture") == "1 unreadable picture"
    assert counted(4872, "picture") == "4,872 pictures"
    assert counted(2, "copy", "copies") == "2 copies"


def test_a_terminal_shows_progress(monkeypatch):
    assert "1/4872 pictures" in drawn(monkeypatch, Terminal(), "features", 4872, "picture")
    assert "1/1 picture [" in drawn(monkeypatch, Terminal(), "features", 1, "picture")


@pytest.mark.parametrize("options", [{}, {"shown": False}])
def test_a_log_file_stays_empty(monkeypatch, options):
    """A line for each step once filled it."""
    assert drawn(monkeypatch, io.StringIO(), "features", 4872, "picture", **options) == ""


def test_nothing_is_said_where_there_is_nothing_to_do_or_nobody_wants_it(monkeypatch):
    assert drawn(monkeypatch, Terminal(), "features", 0, "picture") == ""
    assert drawn(monkeypatch, Terminal(), "features", 9, "picture", shown=False) == ""


def test_a_notebook_shows_progress_and_a_closed_stream_does_not(monkeypatch):
    notebook = types.SimpleNamespace(get_ipython=lambda: types.SimpleNamespace(kernel=object()))
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    assert not progress_bar("features", 3, "picture").disable
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert progress_bar("features", 3, "picture").disable
