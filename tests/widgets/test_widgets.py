"""What all widgets share."""

import asyncio
import io
import threading

import pytest
from PIL import Image

from simlab import cards
from simlab.widgets import panel


def record(work):
    """Latest slow work, and the list of all that it shows and says."""
    seen = []
    return panel.Latest(work, seen.append, seen.append), seen


def test_without_an_event_loop_slow_work_is_done_before_the_call_returns():
    latest, seen = record(lambda n: iter([n, 10 * n]))
    latest(2)
    assert seen == ["working…", 2, 20, ""]


def test_with_an_event_loop_the_call_returns_at_once_and_the_last_value_wins():
    may_go_on, threads = threading.Event(), []

    def work(n):
        threads.append(threading.current_thread())
        may_go_on.wait(10)
        yield n
        yield 10 * n

    async def move_a_slider():
        for n in range(5):
            latest(n)
        assert seen == ["working…"] * 5
        may_go_on.set()
        while seen[-1]:
            await asyncio.sleep(0.01)

    latest, seen = record(work)
    asyncio.run(move_a_slider())
    assert seen[5:] == [4, 40, ""]
    assert threading.main_thread() not in threads


def test_wait_shows_the_result_without_going_back_to_the_event_loop():
    async def ask():
        latest("a")
        latest.wait()
        return list(seen)

    latest, seen = record(iter)
    assert asyncio.run(ask()) == ["working…", "a", ""]


def test_what_goes_wrong_is_one_line_and_the_next_value_works():
    latest, seen = record(lambda n: iter([1 // n]))
    latest(0)
    latest(1)
    assert seen == [
        "working…",
        "ZeroDivisionError: integer division or modulo by zero",
        "working…",
        1,
        "",
    ]


def test_thumbnails_are_small_made_once_and_grey_where_the_file_is_gone(tmp_path):
    path = tmp_path / "海.png"
    Image.new("RGB", (900, 600), "#ff0000").save(path)
    data = panel.thumbnail(path, side=90)
    path.unlink()
    assert panel.thumbnail(path, side=90) is data
    assert Image.open(io.BytesIO(data)).size == (90, 60)
    assert len({*Image.open(io.BytesIO(panel.thumbnail(path, side=80))).getpixel((5, 5))}) == 1


@pytest.mark.parametrize("encode", [panel.png, cards.jpeg])
def test_a_picture_in_a_page_carries_its_kind(encode):
    assert cards.data_uri(encode(Image.new("RGB", (2, 2)))).startswith(
        f"data:image/{encode.__name__};base64,"
    )


def test_a_panel_says_things_without_markup():
    shown = panel.Panel("test")
    shown.say("<b>")
    assert shown._status.value == "&lt;b&gt;"
    assert {"simlab", "simlab-test"} == set(shown._dom_classes)
