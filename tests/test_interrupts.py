"""Stopped by Ctrl-C, a closed terminal, a kill or a notebook's stop button: at once, in words, and
able to go on.
"""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from corpus import textured
from jupyter_client.manager import start_new_kernel
from processes import members, processes, rows_of, until

from simlab.cli import main

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks for processes in /proc")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for n in range(6):
        textured(n, 500, 400).save(tmp_path / "pictures" / f"{n}.png")
    return tmp_path


def command(folder):
    places = [
        str(folder / "pictures"),
        "--out",
        str(folder / "out"),
        "--cache",
        str(folder / "c.sqlite"),
    ]
    return [
        "study",
        *places,
        "--perturbations",
        "attacks58",
        "--methods",
        "phash, akaze",
        "--jobs",
        "2",
    ]


@pytest.mark.parametrize(
    "blow", [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.sweep)]
)
def test_the_command_ends_in_one_line_without_orphans_and_goes_on(blow, folder):
    """Ctrl-C goes to all processes of a terminal; SIGHUP tells that the terminal is gone, here to
    one of them.
    """
    # these tests may run under nohup, whose ignored signal the command would inherit and respect
    code = (
        "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
        "from simlab.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    with open(folder / "said", "wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *command(folder)],
            cwd=ROOT,
            stderr=said,
            start_new_session=True,
        )
    try:
        until(lambda: rows_of(folder / "c.sqlite") > 20, 120)
        (os.killpg if blow == signal.SIGINT else os.kill)(process.pid, blow)
        start = time.perf_counter()
        assert process.wait(30) == 130 and time.perf_counter() - start < 10
        until(lambda: not members(process.pid), 10)
    finally:
        for left in members(process.pid):
            os.kill(left, signal.SIGKILL)
    lines = (folder / "said").read_text().splitlines()
    assert (
        lines[-1]
        == "stopped; what is finished is in the cache, the same command goes on from there"
    )
    assert "Traceback" not in "".join(lines) and not (folder / "out").exists()
    before = rows_of(folder / "c.sqlite")
    assert 20 < before < 6 * 59 * 3  # stopped on the way, and what was done is kept


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGHUP])
def test_a_polite_kill_and_a_closed_terminal_are_a_ctrl_c(blow, folder, monkeypatch, capsys):
    before = signal.signal(blow, signal.SIG_DFL)  # these tests may run under nohup
    try:
        monkeypatch.setattr(
            "simlab.cli._images", lambda options: os.kill(os.getpid(), blow) or 1 / 0
        )
        assert main(command(folder)) == 130
        assert "stopped; what is finished" in capsys.readouterr().err
        assert signal.getsignal(blow) == signal.SIG_DFL
    finally:
        signal.signal(blow, before)


def test_under_nohup_a_closed_terminal_stops_nothing(folder, monkeypatch, capsys):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        monkeypatch.setattr(
            "simlab.cli._images", lambda options: os.kill(os.getpid(), signal.SIGHUP) or 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            main(command(folder))
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_closed_standard_error_stops_nothing(folder):
    """A scheduler may start it so: no file that is opened may then take the place of the
    terminal.
    """
    target = folder / "f.csv"
    verb = [
        "features",
        str(folder / "pictures"),
        "--out",
        str(target),
        "--jobs",
        "1",
        "--cache",
        str(folder / "c"),
    ]
    line = f"{sys.executable} -m simlab {' '.join(verb)} --methods phash 2>&-"
    assert subprocess.run(line, cwd=ROOT, shell=True, check=False).returncode == 0
    assert len(target.read_text().splitlines()) == 7


SLOW = textwrap.dedent("""
    import time
    import numpy as np
    import simlab as sl

    def feature(image):
        time.sleep(0.3)
        return np.asarray(image).mean(axis=(0, 1))

    def distance(a, b):
        return float(abs(a - b).max())

    sl.methods.register("slow", feature, distance=distance, maximum=255)
    pairs = sl.make_pairs({pictures!r}, ["mirror", "blur"], negatives=12)
    def score(): return sl.score_pairs(pairs, "slow", cache={cache!r}, n_jobs=2, progress=False)
""")


def test_a_notebooks_stop_button(folder):
    """The cell ends, the kernel lives, its workers go, and the cell run again goes on."""
    manager, client = start_new_kernel(
        kernel_name="python3", env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        pid, cache = manager.provisioner.process.pid, folder / "c.sqlite"
        code = SLOW.format(pictures=str(folder / "pictures"), cache=str(cache))
        assert (
            client.execute_interactive(code, timeout=120, output_hook=print)["content"]["status"]
            == "ok"
        )
        # else the kernel drops what it is sent just after an error
        sent = client.execute("score()", stop_on_error=False)
        until(lambda: rows_of(cache) > 3, 60)
        start = time.perf_counter()
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=30)
        assert reply["parent_header"]["msg_id"] == sent and time.perf_counter() - start < 10
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        until(
            lambda: (
                not [
                    p for p in processes(lambda parent, session: parent == pid) if "Loky" in told(p)
                ]
            ),
            10,
        )
        assert 3 < rows_of(cache) < 18
        assert (
            client.execute_interactive("assert score().slow.notna().all()", timeout=120)["content"][
                "status"
            ]
            == "ok"
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def told(pid):
    try:
        return Path("/proc", str(pid), "cmdline").read_text()
    except OSError:
        return ""
