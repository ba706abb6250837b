"""The page of a search in a real browser: decisions by mouse and keyboard, what is downloaded, and
as many groups as there are.
"""

import csv

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import simlab as sl
from simlab import report

EVIL = "web/<img src=x onerror=document.title=1>.png"
SIZES = {  # of three copies, the oldest first; of two that only a chain joins; of two look-alikes
    "DCIM/a.png": (200, 150),
    "web/=b.png": (240, 180),
    EVIL: (100, 75),
    "旅行/日本.png": (160, 120),
    "旅行/half.png": (80, 60),
    "web/quarter.png": (40, 30),
    "web/form1.png": (120, 160),
    "web/form2.png": (120, 160),
}
A, B, C, D, E, F, G, H = SIZES
PAIRS = [(A, B), (A, C), (B, C), (D, E), (E, F)]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number, (name, size) in enumerate(SIZES.items()):
        (root / name).parent.mkdir(exist_ok=True)
        shown = 0 if number < 3 else 1 + number // 6
        noise = np.random.default_rng(shown).integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(noise).resize(size).save(root / name)
    return root


@pytest.fixture(scope="module")
def address(root, tmp_path_factory):
    found = pd.DataFrame([(*pair, "copy", 0.1) for pair in PAIRS] + [(G, H, "look-alike", 0.9)])
    found.columns = ["reference", "query", "verdict", "distance"]
    found = found.assign(
        probability=1 - found["distance"], agreed="aligned", same_file=False, threshold=0.5
    )
    found = found.assign(sha256_reference="0" * 64, sha256_query="1" * 64, keep=found["reference"])
    found["keep_reason"] = "it has more pixels"
    found["transform"] = ["[1 0 0 0 1 0 0 0 1]", "[1 0 0 0 1 0 0 0 1]", *[""] * 4]
    found["contains"] = ["both", "reference", *[""] * 4]
    found["pixels_reference"] = found["pixels_query"] = 1
    found.attrs["root"] = str(root)
    out = tmp_path_factory.mktemp("報告")
    return report.found(found, sl.group(found), out, cache=sl.cache.Memory()).as_uri()


@pytest.fixture
def page(browser, address):
    """The page, opened; fails at the end on what it complained of, or loaded from elsewhere."""
    page, wrong = browser.new_page(viewport={"width": 1280, "height": 900}), []
    page.on("console", lambda message: wrong.append(message.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", lambda request: _note(request.url, wrong))
    page.goto(address)
    yield page
    page.close()
    assert wrong == []


def _note(url, wrong):
    if not url.startswith(("data:", "file:", "blob:")):
        wrong.append(url)


def card(page, name):
    return page.locator(".card").filter(has=page.get_by_text(name.split("/")[-1], exact=True)).first


def choose(page, name, choice):
    # one that is refused counts as disabled, and says why when it is clicked
    button = card(page, name).get_by_role("button", name=choice, exact=True)
    button.click(force=True)


def states(page, *names):
    return [card(page, name).get_attribute("data-value") for name in names]


def downloaded(page, button):
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    with open(download.value.path(), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)), download.value.path()


def test_it_shows_every_group_and_names_are_text(page):
    assert page.locator(".copies .group").count() == 2
    assert page.locator(".alike .group").count() == 1
    assert card(page, EVIL).locator(".name").inner_text() == EVIL.removeprefix("web/")
    assert card(page, D).locator(".folder").inner_text() == "旅行"
    assert "160 × 120" in card(page, D).locator(".about").inner_text()
    assert states(page, A, B, C, D, E, F) == ["keep", "drop", "drop", "keep", "drop", "undecided"]
    assert "A part of it" in card(page, C).locator(".why").inner_text()
    assert page.title().startswith("2 groups of copies")
    assert page.locator("img[src=x]").count() == 0


def test_drop_is_offered_for_a_copy_of_what_is_kept_only(page):
    choose(page, F, "Drop")
    assert states(page, F) == ["undecided"]
    assert "not found to be a copy" in page.locator(".said").inner_text()
    choose(page, E, "Keep")
    choose(page, F, "Drop")
    assert states(page, D, E, F) == ["keep", "keep", "drop"]
    # what F is a copy of is no longer kept
    choose(page, E, "Drop")
    assert states(page, D, E, F) == ["keep", "drop", "undecided"]
    choose(page, D, "Drop")
    assert states(page, D) == ["keep"]
    assert "One picture of a group stays" in page.locator(".said").inner_text()


def test_keys_decide_and_move_and_a_reload_goes_on(page):
    card(page, A).locator(".shot").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    assert states(page, A, B, C) == ["keep", "keep", "drop"]
    page.keyboard.press("o")
    assert states(page, A, B, C) == ["drop", "keep", "drop"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    assert states(page, D, E) == ["keep", "not"]
    page.reload()
    assert states(page, A, B, D, E) == ["drop", "keep", "keep", "not"]
    card(page, A).locator(".shot").focus()
    page.keyboard.press("n")
    page.keyboard.press("u")
    assert states(page, A) == ["drop"]


def test_the_plan_and_the_labels_are_downloaded(page, root):
    choose(page, B, "Not a copy")
    choose(page, H, "A copy")
    rows, _ = downloaded(page, "Download plan.csv")
    assert list(rows[0]) == ["root", "file", "group", "decision", "reason", "sha256"]
    assert {row["root"] for row in rows} == {str(root)}
    decisions = {row["file"]: row["decision"] for row in rows}
    assert decisions == {A: "keep", B: "keep", C: "drop", D: "keep", E: "drop", F: "undecided"}
    assert rows[0]["sha256"] == "0" * 64
    labels, path = downloaded(page, "Download labels.csv")
    assert len(labels) == 2
    pairs = sl.read_pairs(path, root=root)
    assert pairs[["reference", "query", "label"]].values.tolist() == [[A, B, 0], [G, H, 1]]


def test_rules_decide_in_all_groups_shown(page):
    rule, apply = page.get_by_label("Rule"), page.get_by_role("button", name="in all groups shown")
    rule.select_option("largest")
    apply.click()
    assert states(page, A, B, C, D) == ["drop", "keep", "drop", "keep"]
    rule.select_option("folder")
    page.get_by_label("Folder", exact=True).select_option("web")
    apply.click()
    assert states(page, A, B, C, D, E, F) == ["drop", "keep", "keep", "undecided", "drop", "keep"]
    page.get_by_role("button", name="Undo").click()
    assert states(page, A, B, C, D) == ["drop", "keep", "drop", "keep"]
    page.get_by_label("Show only names with").fill("日本")
    rule.select_option("best")
    apply.click()
    page.get_by_label("Show only names with").fill("")
    assert states(page, A, B) == ["drop", "keep"]


def test_two_pictures_are_compared(page):
    card(page, C).locator(".shot").click()
    dialog = page.get_by_role("dialog", name="Two pictures compared")
    images = dialog.locator("img")
    assert EVIL.removeprefix("web/") in dialog.inner_text()
    page.wait_for_function("document.querySelectorAll('dialog img')[0].src.endsWith('/DCIM/a.png')")
    page.keyboard.press("2")
    veil = dialog.locator(".veil")
    assert "inset" in veil.evaluate("veil => veil.style.clipPath")
    # half the size, in the upper left corner: where the search said that it lies
    laid, whole = images.nth(1).bounding_box(), images.first.bounding_box()
    assert laid["width"] == pytest.approx(whole["width"] / 2, rel=0.01)
    assert (laid["x"], laid["y"]) == pytest.approx((whole["x"], whole["y"]), abs=1)
    page.keyboard.press("3")
    assert veil.evaluate("veil => getComputedStyle(veil).mixBlendMode") == "difference"
    # one matrix draws both, pixel on pixel: a browser would round the width of a picture without
    drawn = images.evaluate_all("all => all.map(one => new DOMMatrix(one.style.transform).a)")
    assert drawn[0] == pytest.approx(drawn[1]) and drawn[0] != 1
    width = images.first.bounding_box()["width"]
    dialog.get_by_role("button", name="Zoom in").click()
    assert images.first.bounding_box()["width"] == pytest.approx(2 * width, rel=0.01)
    page.mouse.move(640, 400)
    page.mouse.wheel(0, -100)  # a wheel zooms, too, and a hand drags
    grown = f"document.querySelector('dialog img').getBoundingClientRect().width > {2.4 * width}"
    page.wait_for_function(grown)
    left = images.first.bounding_box()["x"]
    page.mouse.down()
    page.mouse.move(670, 400)
    page.mouse.up()
    assert images.first.bounding_box()["x"] == pytest.approx(left + 30, abs=2)
    page.keyboard.press("m")
    dialog.locator("line").first.wait_for(state="attached")
    page.keyboard.press("ArrowLeft")
    assert dialog.locator("line").count() == 0
    page.keyboard.press("k")
    page.keyboard.press("Escape")
    assert states(page, A, B, C) == ["keep", "keep", "drop"]


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_is_wider_than_the_window(width, page):
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.locator(".shot").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.get_by_role("button", name="Close").last.bounding_box()["x"] < width - 40


def test_ten_thousand_groups_are_never_in_the_page_at_once(browser, tmp_path):
    n = 10_000
    group = {
        "alike": False,
        "values": ["keep", "drop"],
        "reasons": ["larger", ""],
        "against": [0, 0],
        "note": "",
    }
    files = {"name": [f"f/{k}.jpg" for k in range(2 * n)], "thumb": [0] * 2 * n}
    files |= dict.fromkeys(("bytes", "date", "width", "height", "pixels", "sha256"), [9] * 2 * n)
    data = {
        "root": "/r", "base": "/r/", "key": "k", "columns": [], "matches": {}, "files": files,
        "same": list(range(2 * n)),
        "groups": [group | {"number": k, "files": [2 * k, 2 * k + 1]} for k in range(n)],
        "pairs": [[2 * k, 2 * k + 1, "copy", "Copy"] for k in range(n)],
        "thumbs": ["data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="],
    }  # fmt: skip
    path = report.write_report(
        tmp_path / "r.html", title="t", lead="", sections=[], run={}, review=data
    )
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    blocks = page.locator(".copies .block")
    for number in (0, blocks.count() // 2, blocks.count() - 1):
        blocks.nth(number).evaluate("block => block.scrollIntoView()")
        blocks.nth(number).locator(".group").first.wait_for()
        assert page.locator("*").count() < 6000
    page.locator("[data-group='9999'] .shot").first.press("d")
    page.get_by_label("Show only groups").select_option("undecided")
    assert page.locator(".copies .count").inner_text() == "0 of 10,000 groups"
    page.close()
