"""The labeller in real JupyterLab, as a person uses it: by click and by key, and on through a
kernel that is killed.
"""

import csv
import os
import signal

import pytest

pytestmark = pytest.mark.slow

NOTEBOOK = "12_label_your_own.ipynb"


def labels_in(path):
    """What each row of a label file says: (reference, query, perturbation, label), whole
    rows only.
    """
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return [
        (row["reference"], row["query"], row["perturbation"], row["label"])
        for row in csv.DictReader(lines)
    ]


def kill_kernel(lab):
    """kill -9, as the system does when memory runs out."""
    psutil = pytest.importorskip("psutil")
    kernels = [
        child
        for child in psutil.Process(lab.server.pid).children()
        if "ipykernel" in str(child.cmdline())
    ]
    for kernel in kernels:
        os.kill(kernel.pid, signal.SIGKILL)
    assert len(kernels) == 1


def test_label_by_click_and_key_undo_and_go_on_after_kill_9(lab, browser):
    from playwright.sync_api import expect

    path = lab.folder / "my_labels.csv"
    with lab.open(browser, NOTEBOOK) as notebook:
        notebook.run_all()
        page, widget = notebook.page, notebook.wait_for_widget("label")
        count, cells = widget.locator(".simlab-count"), notebook.panel.locator(".jp-Cell").count()
        widget.scroll_into_view_if_needed()
        expect(count).to_have_text("0 of 200 labelled")
        expect(widget.get_by_role("img")).to_have_count(2)
        assert not path.exists()
        notebook.screenshot("label", widget)
        notebook.screenshot("label-zoomed", widget, zoom=1.5)

        widget.get_by_role("button", name="Same picture").click()
        expect(count).to_have_text("1 of 200 labelled: 1 same")
        assert [row[-1] for row in labels_in(path)] == ["1"]
        for n in (1, 2):  # in a notebook D twice deletes a cell
            page.keyboard.press("d")
            expect(count).to_have_text(f"{n + 1} of 200 labelled: 1 same, {n} different")
            assert [row[-1] for row in labels_in(path)] == ["1", "0", "0"][: n + 1]
        page.keyboard.press("k")
        expect(count).to_have_text("3 of 200 labelled: 1 same, 2 different, 1 skipped")
        assert len(labels_in(path)) == 3
        assert len((lab.folder / "my_labels.skipped.csv").read_text().splitlines()) == 2
        for said in (
            "3 of 200 labelled: 1 same, 2 different",
            "2 of 200 labelled: 1 same, 1 different",
        ):
            page.keyboard.press("u")
            expect(count).to_have_text(said)
        assert [row[-1] for row in labels_in(path)] == ["1", "0"]
        assert notebook.panel.locator(".jp-Cell").count() == cells

        for key, name in (
            ("4", "Wipe"),
            ("3", "Difference"),
            ("2", "Flicker"),
            ("1", "Side by side"),
            ("m", "Matches"),
        ):
            page.keyboard.press(key)
            expect(widget.get_by_role("button", name=name)).to_have_attribute(
                "aria-pressed", "true"
            )
            notebook.screenshot(f"label-{name}")
        expect(widget.locator("line").first).to_be_attached()
        expect(widget.locator(".simlab-status")).to_contain_text("agree on one geometry")

        before = labels_in(path)
        page.keyboard.press("s")
        kill_kernel(lab)  # at once: the answer may have been written or not
        dead = page.locator(".jp-Dialog")
        dead.get_by_role("button").last.click()
        dead.wait_for(state="detached")
        page.keyboard.press("d")
        expect(widget.get_by_role("alert")).to_contain_text("The kernel does not answer")
        notebook.screenshot("label-dead")
        after = labels_in(path)
        assert after[:2] == before
        assert len(after) in (2, 3)
        with path.open("ab") as file:  # and this is what a write leaves that is cut short
            file.write("猫.jpg,b.jpg,,".encode()[:-6])

        notebook.wait_for_kernel()
        notebook.run_above("labeller.figure()")
        status = widget.locator(".simlab-status")
        expect(count).to_contain_text(f"{len(after)} of 200 labelled")
        expect(status).to_contain_text("my_labels.csv: its last line broke off and was taken out")
        assert labels_in(path) == after
        notebook.screenshot("label-after-kill")
        widget.locator(".simlab-frame").click()
        page.keyboard.press("d")
        expect(count).to_contain_text(f"{len(after) + 1} of 200 labelled")
        assert labels_in(path)[:-1] == after
        assert notebook.faults == []
