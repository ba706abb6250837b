"""The review in real JupyterLab: a decision is on disk at once, and a killed kernel goes on."""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.widgets.test_browser_label import kill_kernel

pytestmark = pytest.mark.slow

EVIL = "<img src=x onerror=alert(1)>.png"
CELLS = (
    'import pandas as pd\nimport simlab as sl\nfound = pd.read_csv("found.csv")',
    'sl.widgets.review(found, "my_plan.csv", "reviewed.csv", root="pictures")',
)


def make_found(folder):
    """Three groups of copies as a search writes them, one picture of which has an evil name."""
    pictures = folder / "pictures"
    pictures.mkdir()
    rows = []
    for number in range(3):
        noise = np.random.default_rng(number).integers(0, 256, (18, 24, 3), dtype=np.uint8)
        names = [f"日本{number}.png", EVIL if number == 0 else f"copy{number}.png"]
        for name in names:
            Image.fromarray(noise).resize((240, 180)).save(pictures / name)
        rows.append([*names, "copy", 0.1, 0.9, "aligned", False, names[0], "it is larger"])
    columns = "reference query verdict distance probability agreed same_file keep keep_reason"
    found = pd.DataFrame(rows, columns=columns.split())
    found = found.assign(sha256_reference="0" * 64, sha256_query="1" * 64, threshold=0.5)
    found.to_csv(folder / "found.csv", index=False)


def decisions(folder):
    path = folder / "my_plan.csv"
    if not path.exists():
        return {}
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return {row["file"]: row["decision"] for row in rows}


def test_review_by_key_and_click_and_go_on_after_kill_9(lab, browser):
    from playwright.sync_api import expect

    make_found(lab.folder)
    with lab.open(browser, lab.write("review.ipynb", *CELLS)) as notebook:
        notebook.run_all()
        page, widget = notebook.page, notebook.wait_for_widget("review")
        cards = widget.locator(".card")
        expect(cards).to_have_count(6)
        expect(cards.locator("img[src^='blob:']")).to_have_count(6)
        evil = cards.filter(has_text="onerror")
        expect(evil.locator(".about")).to_contain_text("240 × 180")
        notebook.screenshot("review", widget)
        assert decisions(lab.folder) == {}

        evil.locator(".shot").focus()
        page.keyboard.press("n")
        expect(evil).to_have_attribute("data-value", "not")
        page.wait_for_timeout(300)
        assert decisions(lab.folder)[EVIL] == "keep"
        assert "日本0.png" in (lab.folder / "reviewed.csv").read_text(encoding="utf-8")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("o")
        page.wait_for_timeout(300)
        assert decisions(lab.folder)["日本1.png"] == "drop"

        cards.first.locator(".shot").click()
        dialog = page.get_by_role("dialog", name="Two pictures compared")
        dialog.get_by_role("button", name="Matches").click()
        dialog.locator("line").first.wait_for(state="attached")
        notebook.screenshot("review-compared")
        page.keyboard.press("Escape")

        kill_kernel(lab)
        dead = page.locator(".jp-Dialog")
        dead.get_by_role("button").last.click()
        dead.wait_for(state="detached")
        cards.last.get_by_role("button", name="Keep", exact=True).click()
        expect(widget.locator(".note")).to_contain_text("The kernel does not answer")
        notebook.wait_for_kernel()
        notebook.run_all()
        widget = notebook.wait_for_widget("review")
        expect(widget.locator(".card").filter(has_text="onerror")).to_have_attribute(
            "data-value", "not"
        )
        assert notebook.faults == []
