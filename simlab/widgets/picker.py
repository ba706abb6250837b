"""A picture chosen from a long list, small above its name, or dropped from outside."""

from collections.abc import Callable
from pathlib import Path

import anywidget
import ipywidgets
import traitlets

from simlab.images import ImageError, read_image
from simlab.widgets.panel import plain

LISTED = 200
"""Most names in the list: a browser is slow with thousands. A search finds the others."""


class Picker(ipywidgets.VBox):
    """A search field, a list of pictures with their names, and a place to drop one.

    Args:
        title: what is picked.
        names: of all pictures; those added later are listed when it is shown anew.
        small: name → that picture, small, as JPEG.
        drop: the place to drop one.

    Attributes:
        value: the name of the picture; "" for none.
    """

    value = traitlets.Unicode()

    def __init__(self, title: str, names: list[str], small: Callable[[str], bytes], drop: "Drop"):
        self._names = names
        self._search = ipywidgets.Text(
            description="Search", placeholder=f"among all {len(names):,}"
        )
        self._list = Shelf(title, small)
        super().__init__([self._search, self._list, drop])
        self._search.observe(self._fill, "value")
        self._list.observe(self._take, "value")
        self.observe(self._fill, "value")
        self._fill()

    def _fill(self, _=None) -> None:
        wanted = self._search.value.casefold()
        found = [name for name in self._names if wanted in name.casefold()][:LISTED]
        if self.value and self.value not in found:
            found.insert(0, self.value)  # what is chosen stays in sight, whatever is searched
        self._list.fill(found, self.value)

    def _take(self, change: dict) -> None:
        self.value = self._list.names.get(change["new"], "")


class Shelf(anywidget.AnyWidget):
    """A list of pictures, each small above its name; one is made when it comes into sight.

    Args:
        label: what screen readers say.
        small: name → that picture, small, as JPEG.

    Attributes:
        names: those that are listed, by what the page is told they are.
        value: which of them is chosen; "" for none.
    """

    _esm = Path(__file__).with_name("shelf.js")
    label = traitlets.Unicode().tag(sync=True)
    options = traitlets.List().tag(sync=True)
    value = traitlets.Unicode().tag(sync=True)

    def __init__(self, label: str, small: Callable[[str], bytes]):
        super().__init__(label=label)
        self.names: dict[str, str] = {}
        self._small = small
        self.on_msg(self._give)

    def fill(self, names: list[str], chosen: str) -> None:
        """List other pictures, one of them chosen."""
        self.names = {plain(name): name for name in names}
        with self.hold_sync():
            self.options = list(self.names)
            self.value = plain(chosen)

    def _give(self, _, wanted: dict, __) -> None:
        # one at a time, so that a slider need not wait; what was listed a moment ago may be no more
        name = wanted["name"]
        if name in self.names:
            self.send({"name": name}, [self._small(self.names[name])])


class Drop(anywidget.AnyWidget):
    """A place to drop a picture on, or to choose one with.

    Args:
        label: what screen readers say.
        received: called with the name and the content of each.
        say: is told in a line why a file cannot be used.
    """

    _esm = Path(__file__).with_name("picker.js")
    label = traitlets.Unicode().tag(sync=True)

    def __init__(
        self, label: str, received: Callable[[str, bytes], None], say: Callable[[str], None]
    ):
        super().__init__(label=label)
        self._received = received
        self._say = say
        self.on_msg(self._take)

    def _take(self, _, file: dict, buffers: list) -> None:
        name = file["name"]
        try:
            content = _checked(file, buffers)
        except ImageError as error:
            self._say(f"{name}: {error}")
            return
        self._received(name, content)


def _checked(file: dict, buffers: list) -> bytes:
    """Return the content of a file that the page sent, if it is a picture."""
    if not buffers:
        raise ImageError(f"{file['bytes']:,} bytes are too many to be sent; open it from a folder")
    content = bytes(buffers[0])
    read_image(content, name=file["name"])
    return content
