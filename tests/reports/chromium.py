"""A real browser, where there is one, spoken to in its DevTools protocol."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe"]

# A chart is drawn in a frame: by a callback that waits for it, or by an observer that follows the layout of it.
# What a second frame's callback sees has had both, however busy the machine is.
DRAWN = """new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))
  .then(() => Promise.allSettled(document.getAnimations().map((one) => one.finished))).then(() => null)"""


class Browser:
    """Chromium, spoken to over a pipe in its DevTools protocol: one JSON message after another, each ended by a zero byte."""

    def __init__(self, folder: str) -> None:
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()

        def place_pipes() -> None:
            ends = os.dup(to_read), os.dup(back_write)
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "about:blank"]
        quiet: Any = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, preexec_fn=place_pipes, close_fds=False, start_new_session=True, **quiet)
        os.close(to_read)
        os.close(back_write)
        self.stream = os.fdopen(self.back, "rb")
        self.count = 0
        self.session = ""
        self.events: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while (byte := self.stream.read(1)) != b"\0":
            if not byte:
                raise EOFError("chromium has ended")
            message += byte
        found: dict[str, Any] = json.loads(message)
        return found

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self.count += 1
        message = {"id": self.count, "method": method, "params": parameters}
        os.write(self.to, json.dumps(message | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self.count:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def open(self, path: Path, width: int = 1200, height: int = 900, *, keep: bool = False, scripts: bool = True) -> None:
        """Open a page as if for the first time, or with what the tab keeps of it; its own scripts can be left out."""
        if not keep:
            self.run("location.protocol === 'file:' && (sessionStorage.clear(), localStorage.clear())")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self._go("about:blank")  # else only the part after # would change
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        try:
            self._go(path.as_uri())
        finally:
            self.call("Emulation.setScriptExecutionDisabled", value=False)
        if scripts:
            self.settle()

    def settle(self) -> None:
        """Wait until what was asked of the page so far is drawn."""
        self.run(DRAWN)

    def _go(self, address: str) -> None:
        self.events.clear()
        loader = self.call("Page.navigate", url=address)["loaderId"]  # the load of an earlier page may be told only now
        while not any(self._loaded(event, loader) for event in self.events):
            self.events.append(self._read())

    @staticmethod
    def _loaded(event: dict[str, Any], loader: str) -> bool:
        told = event.get("params", {})
        return event.get("method") == "Page.lifecycleEvent" and told["name"] == "load" and told["loaderId"] == loader

    def run(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            code = {"Enter": 13, " ": 32, "Tab": 9}.get(key, 0)
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=code, text=text)
            self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=code)

    def dialogs(self) -> list[dict[str, Any]]:
        """The dialogs that the page opened."""
        return [event["params"] for event in self.events if event.get("method") == "Page.javascriptDialogOpening"]

    def complaints(self) -> list[dict[str, Any]]:
        """What the console would show: errors, refusals of the Content-Security-Policy, messages."""
        kinds = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def requests(self) -> list[str]:
        """The addresses that were asked for."""
        asked = [event["params"]["request"]["url"] for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith("data:")]

    def close(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)  # its own session: the browser and its helpers, nothing else
        self.process.wait(timeout=120)
        self.stream.close()
        os.close(self.to)


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with a folder of its own, both gone afterwards."""
    folder = tempfile.mkdtemp(prefix="nas-reports-")
    started = Browser(folder)
    yield started
    started.close()
    for _ in range(20):  # helpers may still be writing
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            break
        time.sleep(0.1)
