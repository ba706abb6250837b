"""What every page of a report must be, whatever it tells."""

import base64
import hashlib
import html.parser
import re
from pathlib import Path

from simlab import report

SCRIPT = Path(report.__file__).parent / "templates" / "report.js"


class Page(html.parser.HTMLParser):
    """The tags and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.texts.append(data)


def check_page(path):
    """Checks what every page must be; returns it parsed."""
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert path.stat().st_size < 5_000_000
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"iframe", "object", "embed", "link", "form", "base", "svg"}
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert tag != "img" or re.match("data:image/(png|jpeg);base64,", attributes["src"])
        assert tag != "script" or not attributes
        assert attributes.get("href", "#").startswith("#")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert script == SCRIPT.read_text(encoding="utf-8").rstrip("\n")
    digests = [
        base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        for part in (style, script)
    ]
    policy = next(
        a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    allowed = (
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'".format(
            *digests
        )
    )
    assert policy == f"{allowed}; base-uri 'none'; form-action 'none'"
    return page
