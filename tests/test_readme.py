"""README.ja.md says what README.md says: the same parts, links, figures, commands, code and
numbers.
"""

import re

import pytest
from conftest import ROOT

ENGLISH, JAPANESE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md")
)


def code(text):
    """Lines of code, the remarks behind them left out."""
    lines = re.findall(r"^(?:    |\s*sl\.|\w[\w, .]* = |with ).*$", text, re.MULTILINE)
    return [re.split(r"\s+#|\s{3,}", line.strip())[0] for line in lines]


@pytest.mark.parametrize(
    "what",
    [
        lambda text: [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)],
        lambda text: sorted(
            link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("README")
        ),
        lambda text: sorted(
            set(re.findall(r"`([^`\n]+)`", text)) - {"README.md", "README.ja.md", "fonts-noto-cjk"}
        ),
        lambda text: re.findall(r"^\|.*\d\.\d\d \[.*$", text, re.MULTILINE),
        lambda text: len(re.findall(r"^\|", text, re.MULTILINE)),
        lambda text: len(re.findall(r"^- ", text, re.MULTILINE)),
        code,
    ],
    ids=["headings", "links", "names", "results", "tables", "lists", "code"],
)
def test_both_languages_say_the_same(what):
    assert what(JAPANESE) == what(ENGLISH)


@pytest.mark.parametrize("text", [ENGLISH, JAPANESE], ids=["README.md", "README.ja.md"])
def test_what_a_readme_names_is_there(text):
    named = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    assert named
    assert [link for link in named if not (ROOT / link).exists()] == []
