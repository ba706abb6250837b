"""What every page of a report must be, whatever it tells."""

import base64
import hashlib
import html.parser
import re
from pathlib import Path

from simlab import report

TEMPLATES = Path(report.__file__).parent / "templates"
SCRIPT = TEMPLATES / "report.js"
REVIEW = [TEMPLATES / name for name in ("review.js", "compare.js", "review_page.js")]
DATA = {"type": "application/json", "id": "review-data"}


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
        assert tag != "script" or attributes in ({}, DATA)
        assert attributes.get("href", "#").startswith("#")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL).group(1)
    assert "url(" not in style
    assert "@import" not in style
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    is_review = ("script", DATA) in page.tags
    names = [SCRIPT, *REVIEW] if is_review else [SCRIPT]
    parts = [path.read_text(encoding="utf-8").rstrip("\n") for path in names]
    assert script == "\n".join(parts)
    digests = [
        base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        for part in (style, script)
    ]
    policy = next(
        a["content"] for tag, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"
    )
    allowed = (
        "default-src 'none'; img-src data:{}; style-src 'sha256-{}'; script-src 'sha256-{}'".format(
            " file: 'self'" if is_review else "", *digests
        )
    )
    assert policy == f"{allowed}; base-uri 'none'; form-action 'none'"
    return page


def check_end(text):
    """Checks that a page ends in what to do now, with commands to copy, one at a time."""
    before, _, _ = text.partition('<h2 id="run">')
    last = before.rpartition("<h2")[2]
    commands = re.findall("<pre><code>(.*?)</code></pre>", last, re.DOTALL)
    assert ">What to do now</h2>" in last and commands
    assert all(re.fullmatch(".*simlab .*", command) for command in commands)
