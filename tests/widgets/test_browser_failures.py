"""The failure browser and the tuner as a person uses them: notebook 13 in real JupyterLab, by mouse
and by keyboard.
"""

import re

import numpy as np
import pandas as pd
import pytest

import simlab as sl

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def notebook(lab, browser):
    with lab.open(browser, "13_failures.ipynb") as opened:
        opened.run_all()
        yield opened
        assert opened.faults == []


def at_the_top(notebook, name):
    widget = notebook.wait_for_widget(name)
    widget.evaluate("element => element.scrollIntoView({block: 'start'})")
    return widget


def settle(notebook, widget):
    notebook.page.wait_for_timeout(300)  # the message is on its way before "working…" is shown
    notebook.wait_for_widget(re.search(r"simlab-(failures|tune)", widget.get_attribute("class"))[1])
    beyond = "cards => cards.filter(card => card.scrollWidth > card.clientWidth).length"
    assert widget.locator(".simlab-card").evaluate_all(beyond) == 0  # no table leaves its card


def words(widget):
    return widget.locator(".simlab-words").first.inner_text()


def titles(widget):
    return widget.locator(".simlab-card h5").all_inner_texts()


def press(notebook, widget, *keys):
    for key in keys:
        notebook.page.keyboard.press(key)
    settle(notebook, widget)


def test_a_point_a_bin_and_a_cell_lead_to_their_pairs(notebook):
    from playwright.sync_api import expect

    widget = at_the_top(notebook, "failures")
    roc = widget.get_by_role("slider", name="ROC")
    box = roc.bounding_box()
    # the strictest end of the highest curve
    roc.click(position={"x": 0.14 * box["width"], "y": 0.14 * box["height"]})
    settle(notebook, widget)
    assert "akaze at FPR 0.0005" in words(widget) and len(titles(widget)) == 6
    expect(roc).to_have_attribute(
        "aria-valuetext", re.compile(r"^akaze: false positive rate 0\.0005, true positive")
    )
    notebook.screenshot("failures_point")

    bins = widget.get_by_role("slider", name="Distances")
    box = bins.bounding_box()
    bins.click(position={"x": 0.3 * box["width"], "y": 0.3 * box["height"]})
    settle(notebook, widget)
    counted = re.search(r": (\d+) copies, (\d+) non-copies", bins.get_attribute("aria-valuetext"))
    assert f"of {sum(map(int, counted.groups()))}: all, distances around" in words(widget)

    widget.get_by_role("button", name="phash, crop: 0").click()
    settle(notebook, widget)
    assert "phash at FPR" in words(widget) and words(widget).endswith("missed, crop.")
    assert (
        widget.get_by_role("button", name="phash, crop: 0").get_attribute("aria-pressed") == "true"
    )
    notebook.screenshot("failures_cell", widget)
    notebook.screenshot("failures_zoom", widget, zoom=1.5)


def test_everything_goes_by_keyboard_and_the_page_stays_where_it_is(notebook):
    widget = at_the_top(notebook, "failures")
    place = widget.bounding_box()["y"]
    roc = widget.get_by_role("slider", name="ROC")
    roc.focus()
    before = roc.get_attribute("aria-valuetext")
    press(notebook, widget, "ArrowRight", "ArrowRight")
    assert roc.get_attribute("aria-valuetext") != before
    press(notebook, widget, "ArrowDown")
    method = roc.get_attribute("aria-valuetext").split(":")[0]
    assert words(widget).startswith(f"{method} at FPR")
    press(notebook, widget, "Tab", "Home", "ArrowRight")
    assert "distances around" in words(widget)
    press(notebook, widget, "Tab", "ArrowDown", "ArrowRight")
    focused = notebook.page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert notebook.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert words(widget).startswith(focused.split(",")[0])
    press(notebook, widget, "d", "d")  # which deletes a cell where a widget lets keys through
    assert abs(widget.bounding_box()["y"] - place) < 2


def test_matches_are_drawn_and_a_marked_pair_is_on_disk(notebook, lab):
    from playwright.sync_api import expect

    widget = at_the_top(notebook, "failures")
    widget.get_by_label("Method", exact=True).select_option("phash")
    widget.get_by_label("Perturbation", exact=True).select_option("crop")
    widget.get_by_role("button", name="missed", exact=True).click()
    settle(notebook, widget)
    first = titles(widget)
    widget.get_by_role("button", name="next →").click()
    settle(notebook, widget)
    assert titles(widget) != first and "Pairs 7 to 12 of" in words(widget)
    card = widget.locator(".simlab-card").first
    card.get_by_role("button", name="AKAZE matches").click()
    expect(card.locator("svg line").first).to_be_attached()
    settle(notebook, widget)
    notebook.screenshot("failures_matches")

    mark = card.get_by_role("button", name="Mark as mislabelled")
    mark.focus()
    press(notebook, widget, "Enter")
    expect(card.get_by_role("button", name="Marked as mislabelled")).to_be_focused()
    marks = pd.read_csv(written(lab, "mislabelled.csv"))
    assert marks[["query", "label"]].values.tolist() == [[titles(widget)[0], 0]]
    press(notebook, widget, "Enter")
    assert len(pd.read_csv(written(lab, "mislabelled.csv"))) == 0


def written(lab, name):
    """Where the notebook wrote a file: in a temporary folder of its own, never beside itself."""
    return max(lab.temporary.glob(f"*/{name}"), key=lambda path: path.stat().st_mtime)


def test_numbers_follow_a_weight_fit_goes_back_and_the_recipe_is_saved(notebook, lab):
    from playwright.sync_api import expect

    widget = at_the_top(notebook, "tune")
    place, before = widget.bounding_box()["y"], words(widget)
    akaze = widget.get_by_role("slider", name="akaze", exact=True)
    akaze.focus()
    press(notebook, widget, "Home")
    assert words(widget) != before and akaze.get_attribute("aria-valuetext") == "0.00"
    moved = words(widget)
    threshold = widget.get_by_role("slider", name="Threshold", exact=True)
    threshold.focus()
    press(notebook, widget, *["ArrowRight"] * 12)
    assert words(widget) != moved and abs(widget.bounding_box()["y"] - place) < 2
    notebook.screenshot("tune_moved", widget)
    notebook.screenshot("tune_zoom", widget, zoom=1.5)

    widget.get_by_role("textbox", name="file of the recipe").fill("手.json")
    widget.get_by_role("button", name="Save").click()
    expect(widget.locator(".simlab-status")).to_contain_text("saved to 手.json")
    recipe = sl.Ensemble.load(lab.folder / "手.json").weights_.set_index("method")["weight"]
    assert recipe["akaze"] == 0 and recipe["phash"] > 0

    widget.get_by_role("button", name="Fit").click()
    settle(notebook, widget)
    fitted = sl.Ensemble.load(written(lab, "recipe.json")).weights_["weight"]
    sliders = [widget.get_by_role("slider", name=name, exact=True) for name in recipe.index]
    shown = [slider.get_attribute("aria-valuetext") for slider in sliders]
    np.testing.assert_allclose([float(text) for text in shown], fitted, atol=0.005)
    roc = widget.get_by_role("slider", name="ROC")
    roc.focus()
    press(notebook, widget, "Home")
    assert roc.get_attribute("aria-valuetext").startswith("ensemble: false positive rate 0.0005")
    notebook.screenshot("tune_fitted")
