"""environment.yml (conda) says what pyproject.toml says (pip), and the lock file pins all of it."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]

CONDA_NAMES = {
    "jupyter-server": "jupyter_server",
    "matplotlib": "matplotlib-base",  # without the window toolkits
    "opencv-python-headless": "py-opencv",
    "playwright": "playwright-python",
}
ONLY_CONDA = {"python", "pip"}


def pip_requirements():
    """{conda name: version range} of what pyproject needs to run, test and build, and of Python."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = table["project"]
    listed = [
        *project["dependencies"],
        *project["optional-dependencies"]["dev"],
        *table["build-system"]["requires"],
    ]
    ranges = {req.name: req.specifier for req in map(Requirement, listed)}
    return {CONDA_NAMES.get(name, name): found for name, found in ranges.items()}


def conda_requirements():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    return {req.name: req.specifier for req in map(Requirement, listed)}


def pins():
    """{name: version} of the lock file."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    return {
        canonicalize_name(name): Version(version)
        for name, version in re.findall(r"(?m)^([\w.-]+)==(\S+)", text)
    }


def test_conda_and_pip_name_the_same_packages_and_ranges():
    conda, pip = conda_requirements(), pip_requirements()
    assert {name: found for name, found in conda.items() if name not in ONLY_CONDA} == pip


def test_both_ask_for_the_same_python():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert str(conda_requirements()["python"]) == table["project"]["requires-python"]


@pytest.mark.parametrize("extra", ["", "dev"])
def test_the_lock_file_pins_what_pyproject_asks_for(extra):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = project["optional-dependencies"][extra] if extra else project["dependencies"]
    for requirement in map(Requirement, listed):
        assert pins()[canonicalize_name(requirement.name)] in requirement.specifier, (
            "run: make lock"
        )


def test_the_lock_file_has_hashes_and_no_addresses():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert not re.search(r"://|--(extra-)?index-url|--find-links", text)
