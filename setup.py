"""Puts the sample beside the package when a wheel is built; all else stands in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class WithSample(build_py):
    """Copies what `simlab.datasets` reads from datasets/ of the clone into the package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:  # there the clone itself is used
            return
        clone = Path(__file__).parent / "datasets"
        data = Path(self.build_lib) / "simlab" / "data"
        shutil.copytree(clone / "sample", data / "sample", dirs_exist_ok=True)
        for sheet in clone.glob("*.csv"):
            shutil.copy2(sheet, data)


setup(cmdclass={"build_py": WithSample})
