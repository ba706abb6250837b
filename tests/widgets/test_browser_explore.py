"""The explorer in real JupyterLab, used as a person uses it: by keyboard, by lists, with a file of
one's own.
"""

import io
import re

import pytest
from PIL import Image

pytestmark = pytest.mark.slow


def numbers(widget):
    """Distance by method, as the table shows it."""
    rows = widget.locator(".simlab-bars tbody tr").all()
    return {row.locator("th").inner_text(): row.locator("td").nth(1).inner_text() for row in rows}


def settled(notebook, widget, caption):
    """The numbers, once the picture with this caption and all that belongs to it are there."""
    from tests.lab import expect

    expect(widget.locator(".simlab-pictures figcaption").last).to_contain_text(caption)
    notebook.wait_for_widget("explore")
    return numbers(widget)


def test_explorer(lab, browser):
    from tests.lab import expect

    with lab.open(browser, "11_explore.ipynb") as notebook:
        notebook.run_all()
        widget, page = notebook.wait_for_widget("explore"), notebook.page
        named = lambda role, name: widget.get_by_role(role, name=name, exact=True)  # noqa: E731

        # the last cell of the notebook compares two invoices; back to a variant of the first
        # picture
        widget.scroll_into_view_if_needed()
        expect(widget.locator(".simlab-pictures figcaption").last).to_contain_text(
            "invoice_0582.png"
        )
        named("radio", "a variant of it").check()
        pictures = named("listbox", "Picture")
        pictures.get_by_role("option", name="cat.jpg").click()
        small = pictures.locator("[aria-selected=true] img")
        expect(small).to_have_attribute("src", re.compile("^blob:"))
        expect(small).to_have_js_property("naturalWidth", 160)
        for key, chosen in (("Home", "astronaut.jpg"), ("ArrowRight", "brick.jpg")):
            pictures.press(key)
            expect(pictures.locator("[aria-selected=true]")).to_have_text(chosen)
        pictures.get_by_role("option", name="cat.jpg").click()
        named("combobox", "Kind").select_option("crop")
        before = settled(notebook, widget, "crop")
        assert "cat.jpg" in widget.locator(".simlab-pictures figcaption").first.inner_text()
        notebook.screenshot("explore_1280", widget)
        notebook.screenshot("explore_150", widget, zoom=1.5)

        # the slider, by keyboard: five steps towards a smaller crop
        slider = named("slider", "Area")
        slider.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        after = settled(notebook, widget, "crop(area=0.25)")
        assert after["phash"] != before["phash"]
        assert after["akaze"] != before["akaze"]
        assert all(re.fullmatch(r"[\d.]+", value) for value in after.values())
        assert slider.get_attribute("aria-valuetext") == "0.25"

        # from one control to the next by Tab alone, and any spec by hand
        while page.evaluate("document.activeElement.getAttribute('aria-label')") != "Spec":
            page.keyboard.press("Tab")
        page.keyboard.press("Control+A")
        page.keyboard.type("caption(content='海の写真')+mirror")
        page.keyboard.press("Enter")
        mirrored = settled(notebook, widget, '海の写真")+mirror')
        assert mirrored != after
        notebook.screenshot("explore_chain", widget)
        page.keyboard.press("Control+A")
        page.keyboard.type("mirrow")
        page.keyboard.press("Enter")
        expect(widget.get_by_role("status")).to_contain_text("did you mean 'mirror'?")

        # another kind, then two pictures, the second found by its name
        named("combobox", "Kind").select_option("text")
        assert settled(notebook, widget, "text") != mirrored
        named("radio", "another picture").check()
        expect(named("listbox", "Second")).to_be_visible()
        widget.get_by_role("textbox", name="Search").last.fill("page_2")
        expect(named("listbox", "Second").get_by_role("option")).to_have_count(
            2
        )  # it, and the one that is chosen
        named("listbox", "Second").get_by_role("option", name="page_23.png").click()
        apart = settled(notebook, widget, "page_23.png")
        expect(widget.locator(".simlab-badge")).to_have_text("No copy")
        notebook.screenshot("explore_two", widget)

        # a picture of one's own
        Image.linear_gradient("L").resize((300, 200)).save(file := io.BytesIO(), "PNG")
        own = {"name": "私の写真.png", "mimeType": "image/png", "buffer": file.getvalue()}
        widget.get_by_label("Second: drop or choose a file").set_input_files(own)
        assert settled(notebook, widget, "私の写真.png 300 × 200") != apart

        # but for those that stand above their names
        images = widget.locator(":not([role=option]) > img").all()
        assert all(image.get_attribute("alt") for image in images)
        assert notebook.faults == []
