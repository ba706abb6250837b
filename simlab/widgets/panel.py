"""What all widgets share: one style, pictures on demand, safe text, and work that never blocks a
slider.

A widget is a :class:`Panel`: ipywidgets put together, driven by hand or from code through its
attributes and methods. Its ``figure()`` is the *static twin*, the current state as a matplotlib
figure, for paper, GitHub and nbconvert.
"""

import asyncio
import contextvars
import functools
import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import anywidget
import ipywidgets
import jinja2
from matplotlib.figure import Figure
from PIL import Image

from simlab.cards import data_uri, escaped, jpeg, plain
from simlab.paths import AnyPath
from simlab.plots import pictures
from simlab.scoring.workers import in_words

WORKING = "working…"


class StyleSheet(anywidget.AnyWidget):
    """The style sheet of all widgets, and names for screen readers on the controls beside it.

    There is nothing of it to see.
    """

    _esm = Path(__file__).with_name("panel.js")
    _css = Path(__file__).with_name("panel.css")


class Panel(ipywidgets.VBox):
    """A widget of simlab: its parts in one style, above a line that says what is going on.

    Args:
        name: the panel has the class ``simlab-NAME`` in the page.
        parts: ipywidgets, from top to bottom.
    """

    def __init__(self, name: str, *parts: ipywidgets.Widget):
        self._status = ipywidgets.HTML().add_class("simlab-status")
        children = [StyleSheet(), *parts, self._status]
        super().__init__(children, _dom_classes=("simlab", f"simlab-{name}"))

    def say(self, text: str) -> None:
        """Show one line below the widget, which screen readers read out; "" clears it."""
        self._status.value = escaped(text)

    def figure(self) -> Figure:
        """Return the current state as a figure."""
        raise NotImplementedError


class Latest:
    """Slow work behind a control: in one thread, and only what was asked for last counts.

    ``work(*arguments)`` yields one result or more, quick ones first; each goes to ``show(result)``
    in the kernel's own thread as it comes, unless something newer was asked for meanwhile. It must
    not touch widgets or pyplot. What it raises is said in one line. Where no event loop runs (a
    script, a test), all is done before the call returns.

    Args:
        say: takes the line: "working…", "" when it is done, or what went wrong.
    """

    def __init__(
        self, work: Callable[..., Iterator], show: Callable[[Any], None], say: Callable[[str], None]
    ):
        self._work = work
        self._show = show
        self._say = say
        self._pool = ThreadPoolExecutor(1, "simlab")
        self._results = SimpleQueue()
        self._newest = 0
        self._future = Future()
        self._future.set_result(None)

    def __call__(self, *arguments: Any) -> None:
        self._newest += 1
        self._say(WORKING)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._future = self._pool.submit(self._run, self._newest, arguments, lambda: None)
            self.wait()
            return
        # its context tells the kernel which cell or click an output belongs to
        wake = functools.partial(
            loop.call_soon_threadsafe, self._deliver, context=contextvars.copy_context()
        )
        self._future = self._pool.submit(self._run, self._newest, arguments, wake)

    def wait(self) -> None:
        """Return when what was asked for last has been shown."""
        self._future.result()
        self._deliver()

    def _run(self, ticket: int, arguments: tuple, wake: Callable[[], Any]) -> None:
        if ticket != self._newest:
            return
        last = ""
        try:
            for result in self._work(*arguments):
                self._results.put((ticket, self._show, result))
                wake()
                if ticket != self._newest:
                    return
        # of whatever kind: a widget that fell silent would show what is no longer true
        except Exception as error:
            last = in_words(error)
        self._results.put((ticket, self._say, last))
        wake()

    def _deliver(self) -> None:
        while True:
            try:
                ticket, receive, what = self._results.get_nowait()
            except Empty:
                return
            if ticket == self._newest:
                receive(what)


@functools.lru_cache(maxsize=1024)
def thumbnail(path: AnyPath, perturbation: str = "", seed: int = 0, side: int = 320) -> bytes:
    """Return the variant of a picture file, small, as JPEG: grey if it cannot be read.

    It is made when first asked for.
    """
    return jpeg(pictures.thumbnail(Path(path), perturbation, seed, side=side))


def png(image: Image.Image) -> bytes:
    """Return a picture as the bytes of a PNG file: for drawings, whose edges stay sharp."""
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


@functools.cache
def markup(name: str) -> Any:
    """Return the macros of a template beside this file, as functions that escape what they get.

    >>> sorted(name for name in vars(markup("explorer.html")) if name.startswith("ver"))
    ['verdict']
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_sendable,
    )
    environment.filters["data"] = data_uri
    return environment.get_template(name).module


def _sendable(value: Any) -> Any:
    # a Markup is a text too, and stays one: it is escaped already
    return plain(value) if type(value) is str else value
