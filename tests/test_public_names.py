"""What `import simlab as sl` offers: each public name once, the same for people, editors and type
checkers.
"""

import ast
import inspect
import subprocess
import sys

from conftest import ROOT

import simlab as sl


def declared():
    """The names that a type checker finds in simlab/__init__.pyi."""
    tree = ast.parse((ROOT / "simlab" / "__init__.pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return [alias.asname for node in imports for alias in node.names]


def test_each_public_name_is_listed_once_and_can_be_had():
    listed = [name for name in dir(sl) if name != "__version__"]
    assert len(set(listed)) == len(listed)
    for name in listed:
        assert getattr(sl, name) is not None


def test_editors_know_the_names_that_are_there():
    assert sorted(declared()) == sorted(set(dir(sl)) - {"__version__"})


def test_no_function_shadows_a_module():
    for name in dir(sl):
        thing = getattr(sl, name)
        inside = ROOT / "simlab" / f"{name}.py"
        assert inspect.ismodule(thing) or not inside.exists(), name


def test_modules_of_reports_are_found_by_whoever_asks_first():
    """As a command does, which has imported nothing else."""
    program = """
import simlab as sl
report = sl.report
print(report.sentences.__name__, report.study_sections.__name__, hasattr(report, "nothing"))
"""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [
        "simlab.report.sentences",
        "simlab.report.study_sections",
        "False",
    ]
