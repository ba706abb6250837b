"""A throw-away JupyterLab, and a notebook in it that is driven through Chromium as a person would.

    def test_something(lab, browser):                          # the fixtures are in conftest.py
        with lab.open(browser, "11_explore.ipynb") as notebook:        # a copy; or
        lab.write("mine.ipynb", "1 + 1")
            notebook.run_all()
            notebook.page.get_by_role("slider").focus()

Pictures of the page go to the folder in SIMLAB_SCREENSHOTS, where it is set.
"""

import base64
import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect, sync_playwright

from tools.notebooks import METADATA, write_beginning

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
PATIENCE = 90_000  # ms: far above what anything takes, for slow machines
WIDTH, HEIGHT = 1280, 1000
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
QUIET = {"fetchNews": "false", "checkForUpdates": False}  # no question about news over the page
ALL_RAN = """() => {
    const areas = [...document.querySelectorAll('.jp-CodeCell .jp-InputArea-prompt')];
    const prompts = areas.map(area => area.textContent.trim());
    return prompts.length && prompts.every(text => /^\\[\\d+\\]:?$/.test(text));
}"""
BROKEN = (
    '[data-mime-type="application/vnd.jupyter.error"], '
    '[data-mime-type="application/vnd.jupyter.stderr"]'
)


def made(name):
    """What the Makefile says of a name."""
    return re.search(
        rf"^{name} := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )[1]


@contextlib.contextmanager
def chromium():
    """The system's Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Lab:
    """JupyterLab with its own settings, token and folder of notebooks; its kernels import this
    checkout, and run `begin` first.
    """

    def __init__(self, home, begin=""):
        self.home, self.folder = home, home / "notebooks"
        self.temporary = home / "temporary"
        self.temporary.mkdir()
        # copies, as JupyterLab saves by itself
        shutil.copytree(ROOT / "notebooks", self.folder, ignore=shutil.ignore_patterns(".*"))
        for name in ("benchmarks", "datasets"):
            (home / name).symlink_to(ROOT / name, target_is_directory=True)
        write_beginning(home / "ipython", begin)
        settings = home / "settings/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps(QUIET))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.token = secrets.token_hex(16)

    def __enter__(self):
        self.log = (self.home / "lab.log").open("w")
        self.server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--ip=127.0.0.1",
                f"--port={self.port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={self.token}",
                f"--ServerApp.root_dir={self.folder}",
                "--LabApp.news_url=None",
                "--LabApp.extension_manager=readonly",
                "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            ],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for kill in (
            signal.SIGTERM,
            signal.SIGKILL,
        ):  # of the server and its kernels: a process group of their own
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.server.pid, kill)
                self.server.wait(15)
        self.log.close()

    def url(self, path):
        return f"http://127.0.0.1:{self.port}/{path}{'&' if '?' in path else '?'}token={self.token}"

    def write(self, name, *sources):
        """The name of a new notebook whose cells hold these sources."""
        # without the name of a kernel JupyterLab would ask for one
        notebook = new_notebook(cells=list(map(new_code_cell, sources)), metadata=METADATA)
        nbformat.write(notebook, self.folder / name)
        return name

    @contextlib.contextmanager
    def open(self, browser, name):
        """The notebook in a page of its own, once its kernel is there; the kernel is ended at the
        end.
        """
        with contextlib.closing(
            browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        ) as page:
            page.set_default_timeout(PATIENCE)
            expect.set_options(timeout=PATIENCE)
            notebook = Notebook(page)
            # single-document mode: no file browser, no tabs of earlier; reset: no layout of earlier
            page.goto(
                self.url(f"doc/workspaces/test/tree/{name}?reset"), wait_until="domcontentloaded"
            )
            notebook.wait_for_kernel()
            try:
                yield notebook
            except BaseException:
                notebook.screenshot("failed")
                raise
            finally:
                self.end_kernels()

    def end_kernels(self):
        """Ends what runs, as closing a page does not."""
        for kernel in self._kernels():
            request = urllib.request.Request(
                self.url(f"api/kernels/{kernel['id']}"), method="DELETE"
            )
            with contextlib.suppress(OSError):  # one that a test killed
                urllib.request.urlopen(request, timeout=60).close()

    def _kernels(self):
        """What runs; while a kernel starts, or is given up, the server fails to say."""
        for _ in range(20):
            with (
                contextlib.suppress(urllib.error.HTTPError),
                urllib.request.urlopen(self.url("api/kernels"), timeout=60) as answer,
            ):
                return json.load(answer)
            time.sleep(0.5)
        raise AssertionError("the server does not list its kernels")

    def _environment(self):
        own = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "IPYTHONDIR": "ipython",
            "SIMLAB_CACHE": "cache",
            "TMPDIR": "temporary",
        }
        ours = {name: str(self.home / folder) for name, folder in own.items()}
        inline = "module://matplotlib_inline.backend_inline"
        ours["JUPYTER_CONFIG_PATH"] = str(ROOT / made("LAB_CONFIG"))
        return {
            **os.environ,
            **ours,
            "PYTHONPATH": str(ROOT),
            "MPLBACKEND": inline,
            "TQDM_DISABLE": "1",
        }

    def _wait(self):
        for _ in range(480):
            if self.server.poll() is not None:
                break
            try:
                urllib.request.urlopen(self.url("api/status"), timeout=5).close()
                return
            except OSError:
                time.sleep(0.25)
        raise RuntimeError(f"JupyterLab did not start: {Path(self.log.name).read_text()[-3000:]}")


class Notebook:
    """An open notebook; `page` is Playwright's."""

    def __init__(self, page):
        self.page, self.faults = page, []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", lambda request: self.faults.append(f"no answer: {request.url}"))
        page.on("request", self._note_strangers)
        self.panel = page.locator(".jp-NotebookPanel:visible")

    def _note_strangers(self, request):
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.faults.append(f"asked the network for {request.url}")

    def wait_for_kernel(self):
        self.panel.locator(".jp-Notebook").wait_for()
        self.wait_for_idle()

    def wait_for_idle(self):
        # the notebook's own sign says "idle" before a kernel is there; the status bar names the
        # kernel only then
        expect(self.page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
        expect(self.panel.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute(
            "data-status", "idle"
        )

    def wait_for_widget(self, name):
        """The widget with the class ``simlab-NAME``, once its slow work is done."""
        widget = self.panel.locator(f".simlab-{name}").first
        expect(widget).to_be_visible()
        expect(widget.locator(".simlab-status")).not_to_contain_text("working")
        return widget

    def command(self, menu, command):
        """Chooses from the menu bar, by the name of JupyterLab's command."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.locator(f'.lm-Menu-item[data-command="{command}"]').click()

    def run_all(self):
        """Runs every cell; fails where one raised or wrote to stderr."""
        self.command("Run", "runmenu:run-all")
        # still "idle" just after the click: first the numbers of the cells, then the kernel
        self.page.wait_for_function(ALL_RAN, timeout=PATIENCE)
        self.wait_for_idle()
        broken = self.panel.locator(BROKEN)
        assert broken.count() == 0, broken.first.inner_text()

    def run_above(self, text):
        """Runs the cells above the one that holds a text."""
        self.panel.locator(".jp-CodeCell").filter(has_text=text).locator(".jp-InputPrompt").click()
        self.command("Run", "notebook:run-all-above")
        expect(self.panel.locator(".jp-InputPrompt", has_text="*").first).to_be_attached()
        expect(self.panel.locator(".jp-InputPrompt", has_text="*")).to_have_count(0)
        self.wait_for_idle()

    def restart_kernel(self):
        """Restarts the kernel as a person does, through the menu and its question."""
        self.command("Kernel", "kernelmenu:restart")
        self.page.locator(
            ".jp-Dialog button.jp-mod-warn, .jp-Dialog button.jp-mod-accept"
        ).last.click()
        self.page.locator(".jp-Dialog").wait_for(state="detached")
        self.wait_for_kernel()

    def screenshot(self, name, part=None, zoom=1.0):
        """A picture of the window, or of the whole of a part of the page, as a zoom of the browser
        shows it.
        """
        if not os.environ.get("SIMLAB_SCREENSHOTS"):
            return
        folder = Path(os.environ["SIMLAB_SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        devtools = self.page.context.new_cdp_session(self.page)
        # fewer and larger pixels, and for a part that would scroll many of them
        size = {"width": round(WIDTH / zoom), "height": 4000 if part else round(HEIGHT / zoom)}
        devtools.send(
            "Emulation.setDeviceMetricsOverride",
            {**size, "deviceScaleFactor": zoom, "mobile": False},
        )
        self.page.wait_for_timeout(700)  # JupyterLab lays itself out anew
        place = part.bounding_box() if part else {"x": 0, "y": 0, **size}
        # Playwright's own screenshot would set the size of the window anew
        data = devtools.send(
            "Page.captureScreenshot", {"format": "png", "clip": {**place, "scale": 1}}
        )["data"]
        (folder / f"{name}.png").write_bytes(base64.b64decode(data))
        devtools.send("Emulation.clearDeviceMetricsOverride")
        devtools.detach()
        self.page.wait_for_timeout(300)
