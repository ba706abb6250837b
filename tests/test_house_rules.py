"""The layout and the house rules, checked on the source as text: nothing of the package is imported
here.
"""

import ast
import io
import json
import re
import statistics
import subprocess
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "simlab"


def storeys():
    """The rooms of each floor, from the ground up, as CONTRIBUTING.md has them: a room imports only
    from below.
    """
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = text.split("<!-- floors -->")[1].split("<!-- /floors -->")[0]
    rows = re.findall(r"(?m)^\| \d+ \| ([^|]+) \|", table)
    return [re.findall(r"`(\w+)`", rooms) for rooms in rows]


STOREYS = storeys()
FLOORS = {room: floor for floor, rooms in enumerate(STOREYS) for room in rooms}
DOORS = {"__init__", "__main__"}  # they open onto every floor

MAX_TOKENS = 172_250
MAX_BODY = 60
MAX_MEDIAN_BODY = 12
MAX_FILE_BYTES = 500_000
MAX_CELLS = 25
MAX_CELL_LINES = 10
LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
CODE_LOADERS = {"pickle", "cloudpickle", "dill", "shelve", "marshal"}

# Character classes keep these patterns from finding themselves.
FORBIDDEN_TEXT = {
    "a path of one machine": (
        r"(?<![\w.])/(work|farm)/|/ro[o]t/|/ho[m]e/\w|/U[s]ers/\w|\b[A-Z]:\\U[s]ers\b"
    ),
    "a package registry's host": r"(?i)pytho[n]hosted|py[p]i\.org|registry\.npm[j]s|deb\.[d]ebian",
}
TEXT_SUFFIXES = {
    "",
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".txt",
    ".lock",
    ".ipynb",
    ".cfg",
    ".cff",
    ".sh",
    ".csv",
    ".json",
    ".html",
    ".css",
    ".js",
    ".svg",
}

SOURCES = sorted(PACKAGE.rglob("*.py"))
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def nothing(faults):
    """Passes when there is no fault; shows all of them when there is one."""
    faults = list(faults)
    assert not faults, "\n".join(["", *faults])


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def relative(path):
    return path.relative_to(ROOT).as_posix()


def module_of(path):
    """The module on its floor: evaluation for evaluation.py and for evaluation/curves.py."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def parse(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(tree):
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def body_lines(function):
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


def count_tokens(path):
    """Python tokens of a file, without comments and strings that stand alone, such as
    docstrings.
    """
    text = path.read_text(encoding="utf-8")
    prose = set()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if is_text and isinstance(node.value.value, str):
            prose.add((node.lineno, node.col_offset))
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(1 for token in tokens if token.type not in LAYOUT and token.start not in prose)


def imported_modules(path):
    """The simlab modules that a file imports anywhere in it, absolute or relative:
    {"images", …}.
    """
    found = set()
    package = ("simlab", *path.relative_to(PACKAGE).parts[:-1])
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            names = [
                f"{base}{node.module or ''}".rstrip(".") + f".{alias.name}" for alias in node.names
            ]
        else:
            continue
        parts = [(name + ".__init__").split(".") for name in names]
        found.update(part[1] for part in parts if part[0] == "simlab")
    return found - {"__version__"}


def faults_in(path):
    """Lines like "simlab/hashes.py:12: assert": what the package never does."""
    for node in ast.walk(parse(path)):
        where = f"{relative(path)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Assert):
            yield f"{where}: assert"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            allowed = {"print"} if module_of(path) in {"cli", "__main__"} else set()
            if node.func.id in {"print", "eval", "exec"} - allowed:
                yield f"{where}: {node.func.id}()"
        elif isinstance(node, ast.Import | ast.ImportFrom):
            named = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (f"{where}: {name}" for name in named if name.split(".")[0] in CODE_LOADERS)
        elif isinstance(node, ast.ExceptHandler) and (
            node.type is None or getattr(node.type, "id", "") == "BaseException"
        ):
            yield f"{where}: bare except"


def undocumented_in(path):
    """The public functions and classes of a module that have no docstring."""
    for node in parse(path).body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if named and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{relative(path)}:{node.lineno}: {node.name}"


def tracked_files():
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a git checkout")
    return [
        path for name in listed.stdout.decode().split("\0")[:-1] if (path := ROOT / name).is_file()
    ]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_imports_go_down_only(path):
    module = module_of(path)
    if module in DOORS:
        return
    assert module in FLOORS, f"{module} has no floor: give it one in CONTRIBUTING.md"
    below = {name for name in FLOORS if FLOORS[name] < FLOORS[module]}
    if module in STOREYS[-1]:
        below.add("__init__")  # the roof may use the public names
    wrong = imported_modules(path) - {module} - below
    assert not wrong, (
        f"{relative(path)} (floor {FLOORS[module]}) may import only from lower floors, "
        f"not {sorted(wrong)}"
    )


def test_package_does_nothing_forbidden():
    nothing(fault for path in SOURCES for fault in faults_in(path))


def test_public_names_have_docstrings():
    nothing(name for path in SOURCES for name in undocumented_in(path))


def test_functions_are_short():
    found = [
        (path, node, body_lines(node)) for path in SOURCES for node in functions_of(parse(path))
    ]
    nothing(
        f"{relative(path)}:{node.lineno}: {node.name}: {n} lines"
        for path, node, n in found
        if n > MAX_BODY
    )
    assert statistics.median(n for _, _, n in found) <= MAX_MEDIAN_BODY


def test_package_is_small():
    """A budget of tokens: neither long lines nor short ones gain anything by it."""
    assert sum(count_tokens(path) for path in SOURCES) <= MAX_TOKENS


def test_tracked_files_are_small():
    sizes = {relative(path): path.stat().st_size for path in tracked_files()}
    nothing(f"{name}: {size} bytes" for name, size in sizes.items() if size > MAX_FILE_BYTES)


def test_tracked_files_name_no_machine_and_no_registry():
    texts = {
        relative(path): path.read_text(encoding="utf-8", errors="replace")
        for path in tracked_files()
        if path.suffix in TEXT_SUFFIXES
    }
    nothing(
        f"{name}: {what}: {found[0]}"
        for name, text in texts.items()
        for what, rule in FORBIDDEN_TEXT.items()
        if (found := re.search(rule, text))
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_calls_and_prose(path):
    sources = [
        "".join(cell["source"]) for cell in code_cells(json.loads(path.read_text(encoding="utf-8")))
    ]
    assert len(sources) <= MAX_CELLS
    nothing(source for source in sources if len(source.strip().splitlines()) > MAX_CELL_LINES)
    nothing(source for source in sources if re.search(r"(?m)^\s*(async )?(def|class) ", source))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook_is_saved_with_clean_outputs(path):
    text = path.read_text(encoding="utf-8")
    notebook = json.loads(text)
    cells = code_cells(notebook)
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert outputs, "make notebooks saves it with its outputs"
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert not any("execution" in cell["metadata"] for cell in cells)
    assert "widgets" not in notebook["metadata"]
    assert "application/vnd.jupyter.widget" not in text
    assert not any(
        output["output_type"] == "error" or output.get("name") == "stderr" for output in outputs
    )
    assert not re.search(r"\bat 0x[0-9a-f]{6,}", text), "an address of memory differs in every run"
