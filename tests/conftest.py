"""What every test runs under: no window, no network, no writing in the user's own folders."""

import os
import signal
import socket
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ["MPLBACKEND"] = "Agg"  # before matplotlib is imported: a machine of tests has no screen

# As many processes as there are cores run the tests: threads of each would wait for the others'.
if "PYTEST_XDIST_WORKER" in os.environ:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")

# Of it the schemas of notebooks make a grammar of web addresses: for seconds, in each process.
sys.modules["rfc3987_syntax"] = None

# A shell gives a command in the background a Ctrl-C that is ignored, and so do the processes that
# tests begin.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run; no deadline, as a first call imports OpenCV or builds a font list.
settings.register_profile(
    "simlab", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("simlab")


def pytest_configure(config):
    """Fewer examples where a test names no number of its own and the long sweeps are left out."""
    if config.option.markexpr == "not sweep":
        settings.register_profile("quick", settings.get_profile("simlab"), max_examples=40)
        settings.load_profile("quick")


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory):
    """simlab's default cache goes to a temporary folder, in worker processes too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIMLAB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """A connection that leaves this machine raises: simlab opens none unasked, tests
    none at all.
    """
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in (
            "127.0.0.1",
            "::1",
            "localhost",
        ):
            raise OSError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield


@pytest.fixture(scope="module", autouse=True)
def methods_of_hand_made_tables(request):
    """Tests of evaluation make tables of methods with these names, which count as if they were
    registered.
    """
    if request.path.parent != ROOT / "tests" / "evaluation":
        yield
        return
    from simlab.methods import registry as methods

    names = ["m", "x", "y", "z", "a", "b", "c", "f", "first", "second", "other", "hash"]
    for name in names:
        methods.register(name, lambda image: image, distance=lambda a, b: 0.0, maximum=1.0)
    yield
    for name in names:
        del methods.REGISTRY[name]


@pytest.fixture(scope="session")
def shared_pictures() -> Path:
    """The developers' folder of real pictures, which is not in the repository; skips without it."""
    named = os.environ.get("SIMLAB_SHARED")
    places = [Path(named)] if named else [ROOT.parent / "shared", Path("/data")]
    for place in places:
        for folder in (place / "data", place):
            if (folder / "manifest.csv").is_file():
                return folder
    pytest.skip("needs the shared pictures (SIMLAB_SHARED)")


KEEPING = """
from simlab.scoring import cache

begin = cache.Cache.__init__
cache.Cache.__init__ = lambda self, path=None: begin(self, {path!r})
cache.Memory = cache.Cache
"""
"""Wherever a notebook keeps its features, those of the others are there: most look at the same
pairs."""


@pytest.fixture(scope="session")
def keeping(tmp_path_factory):
    """What a kernel runs first, so that the notebooks of a run share their features."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # of all processes of this run
    return KEEPING.format(path=str(folder / "features.sqlite"))


@pytest.fixture
def unrendered(monkeypatch):
    """Figures are made but not rendered, which takes the longest of a report."""
    from simlab import plots

    def save(ax, path, **options):
        path.write_bytes(b"figure")
        return path

    monkeypatch.setattr(plots, "save", save)


@pytest.fixture(scope="session")
def lab(tmp_path_factory, keeping):
    """A JupyterLab of this process's own, for all browser tests."""
    harness = browser_harness()
    with harness.Lab(tmp_path_factory.mktemp("lab"), begin=keeping) as running:
        yield running


@pytest.fixture(scope="module")
def browser():
    """Chromium, closed after the tests of a file: while Playwright runs, so does its event loop."""
    with browser_harness().chromium() as running:
        yield running


def browser_harness():
    """The module tests/lab.py; skips where there is no browser."""
    pytest.importorskip("playwright", reason="needs Playwright (pip install playwright)")
    from tests import lab

    if lab.CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH (apt-get install chromium)")
    return lab
