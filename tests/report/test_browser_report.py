"""The report in a real browser: tables sort, pictures open large, by mouse and by keyboard; nothing
is loaded.
"""

import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from simlab import report

EVIL = '<img src=x onerror="document.title=1">'
TABLE = pd.DataFrame(
    {
        "name": ["b10", "b9", EVIL, "日本", ""],
        "share": [0.25, np.nan, 1234.5, -3.0, 1e-9],
        "in words": ["0.9 [0.8, 1.0]", "n/a", "10 [9, 11]", "1,000 [1, 2]", "2"],
    }
)
ORDERS = {  # of the rows above, ascending and descending
    "name": (["b9", "b10", "日本"], ["日本", "b10", "b9"]),
    "share": (
        ["-3", "0.000", "0.250", "1,234.5", "n/a"],
        ["1,234.5", "0.250", "0.000", "-3", "n/a"],
    ),
    "in words": (
        ["0.9 [0.8, 1.0]", "2", "10 [9, 11]", "1,000 [1, 2]", "n/a"],
        ["1,000 [1, 2]", "10 [9, 11]", "2", "0.9 [0.8, 1.0]", "n/a"],
    ),
}


def png(seed):
    """A photograph, as far as its size goes."""
    noise = np.random.default_rng(seed).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    figures = [
        report.Figure(png(seed), f"figure {seed}", f"{EVIL} {seed}", width=300) for seed in (0, 1)
    ]
    sections = [report.Section(EVIL, EVIL, figures, [(TABLE, EVIL), (TABLE[:1], "one row")])]
    path = tmp_path_factory.mktemp("report") / "報告.html"
    return report.write_report(
        path, title="Title", lead=EVIL, sections=sections, run={"command": EVIL}
    ).as_uri()


@pytest.fixture
def page(browser, address):
    """The report, opened; fails at the end on anything it loaded or complained about."""
    page, wrong = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: wrong.append(request.url) if not request.url.startswith("data:") else None,
    )
    page.goto(address)
    assert wrong.pop(0) == page.url
    yield page
    page.close()
    assert wrong == []


def column(page, name):
    """The cells of a column of the first table, from top to bottom."""
    at = list(TABLE).index(name) + 1
    return page.locator(f"table >> nth=0 >> tbody td:nth-child({at})").all_text_contents()


@pytest.mark.parametrize("name", ORDERS)
def test_a_click_on_a_head_sorts_up_then_down_then_as_it_was(name, page):
    given, head = column(page, name), page.locator("th", has_text=name).first
    button = head.get_by_role("button")
    for state, order in zip(("ascending", "descending"), ORDERS[name]):
        button.click()
        assert head.get_attribute("aria-sort") == state
        found = column(page, name)
        assert [text for text in found if text in order] == order
        assert sorted(found) == sorted(given)
    button.click()
    assert column(page, name) == given
    assert page.locator("th[aria-sort=none]").count() == 3


def test_tables_sort_by_keyboard_and_whole_rows_move(page):
    rows = page.locator("table >> nth=0 >> tbody tr")
    before = set(rows.all_text_contents())
    page.locator("th button").nth(1).focus()
    page.keyboard.press("Enter")
    assert column(page, "share")[0] == "-3"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert column(page, "in words")[0] == "0.9 [0.8, 1.0]"
    assert page.locator("th[aria-sort=ascending]").count() == 1
    assert set(rows.all_text_contents()) == before
    assert page.locator("table >> nth=1 >> th button").count() == 0


def test_a_picture_opens_large_and_closes_with_escape_or_the_button(page):
    dialog, picture = page.get_by_role("dialog"), page.get_by_role("button", name="figure 1")
    for opens in (picture.click, lambda: picture.press("Enter"), lambda: picture.press("Space")):
        opens()
        assert dialog.is_visible()
        assert dialog.get_attribute("aria-label") == "figure 1"
        assert dialog.locator("img").bounding_box()["width"] > 1100
        assert "onerror" in dialog.inner_text()
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
        assert picture.evaluate("element => element === document.activeElement")
    picture.click()
    dialog.locator("img").click()
    assert dialog.evaluate("element => element.classList.contains('full')")
    dialog.get_by_role("button", name="Close").click()
    assert not dialog.is_visible()


@pytest.mark.parametrize("width", [1280, 853, 500])
def test_the_page_is_never_wider_than_the_window(width, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("figure img").first.bounding_box()["width"] <= 610


def test_names_are_text(page):
    assert page.title() == "Title"
    assert page.locator("h2").first.inner_text() == EVIL


def test_no_other_script_runs(browser, address):
    page, said = browser.new_page(), []
    page.on("console", lambda message: said.append(message.text))
    page.goto(address)
    other = "<button id=other onclick='document.title = 2'>x</button>"
    page.evaluate("html => document.body.insertAdjacentHTML('beforeend', html)", other)
    page.locator("#other").click()
    assert page.title() == "Title"
    assert any("Content Security Policy" in text for text in said)
    page.close()


def test_without_script_the_page_says_the_same(browser, address):
    page = browser.new_page(java_script_enabled=False)
    page.goto(address)
    assert page.locator("th button").count() == 0
    assert page.locator("th").first.inner_text() == "name"
    assert page.locator("figure img").count() == 2
    assert not page.locator("dialog").is_visible()
    page.close()


def test_commands_are_copied_as_they_are(page):
    copy = page.locator("pre", has_text=EVIL).first.get_by_role("button", name="Copy")
    copy.click()
    page.locator("pre > button", has_text="Copied").wait_for()
    page.evaluate("document.body.append(document.createElement('textarea'))")
    page.locator("body > textarea").focus()
    page.keyboard.press("Control+V")
    assert page.locator("body > textarea").input_value() == EVIL
