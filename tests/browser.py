"""A real browser without a window, driven through a pipe, and TensorBoard for it to look at."""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic"
"""It is to look at what it is shown, and to call nobody."""

PATIENCE_SECONDS = 60
"""After so long what is waited for is taken not to come; usually it takes a second or two."""

SEEN = """
(() => {
  const pictures = [], shapes = [];
  const read = (node) => Array.from(node.childNodes).map((one) => {
    if (one.nodeType === Node.TEXT_NODE) return one.data;
    if (one.nodeType !== Node.ELEMENT_NODE || ['STYLE', 'SCRIPT', 'TEMPLATE'].includes(one.tagName)) return '';
    if (one.tagName === 'IMG' && one.complete && one.naturalWidth > 1) pictures.push(one.src);
    const drawn = one.tagName === 'path' && one.closest('.render-area, .histogram');
    if (one.tagName === 'CANVAS' || drawn) shapes.push(one);
    const framed = one.tagName === 'IFRAME' && one.contentDocument ? read(one.contentDocument) : '';
    return framed + (one.shadowRoot ? read(one.shadowRoot) : '') + read(one);
  }).join(' ');
  const text = read(document).replace(/\\s+/g, ' ');
  return {text, pictures: pictures.length, shapes: shapes.length};
})()
"""
"""What a page shows, through the frames and shadow roots that components hide in: its text, loaded pictures, curves."""


class Browser:
    """One page of a browser; messages of Chrome's protocol go through a pipe, each with a zero byte after it."""

    def __init__(self, profile: Path) -> None:
        ours_in, theirs_out = os.pipe()
        theirs_in, ours_out = os.pipe()
        flags = "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run", *QUIET
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}', str(CHROMIUM), *flags,
             f"--user-data-dir={profile}", "--window-size=1500,1000"],
            pass_fds=(theirs_in, theirs_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)
        self._in, self._out, self._read, self._number, self._session = ours_in, ours_out, b"", 0, ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def call(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol, and wait for its result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": parameters, **session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._read:
                more = os.read(self._in, 1 << 16)
                assert more, "the browser is gone"
                self._read += more
            first, _, self._read = self._read.partition(b"\0")
            answer = json.loads(first)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def see(self, url: str, *wanted: str, pictures: int = 0, shapes: int = 0) -> str:
        """Go to a page, and wait until it shows all that is wanted; its text."""
        self.call("Page.navigate", url="about:blank")  # another hash alone would load nothing anew
        self.call("Page.navigate", url=url)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            seen = self.call("Runtime.evaluate", expression=SEEN, returnByValue=True)["result"].get("value")
            seen = seen or {"text": "", "pictures": 0, "shapes": 0}
            missing = [text for text in wanted if text not in seen["text"]]
            if not missing and seen["pictures"] >= pictures and seen["shapes"] >= shapes:
                return str(seen["text"])
            assert time.monotonic() < until, f"{url}: {missing} missing; {seen}"
            time.sleep(0.1)

    def screenshot(self, file: Path) -> None:
        """Write what the page looks like."""
        file.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def browsing(profile: Path) -> Iterator[Browser]:
    """A browser, which is closed in the end."""
    browser = Browser(profile)
    try:
        yield browser
    finally:
        browser.process.terminate()
        browser.process.wait()
        os.close(browser._in)
        os.close(browser._out)


@contextmanager
def tensorboard(runs: Path) -> Iterator[str]:
    """TensorBoard on the loopback address, once it has read the runs; its address. It is stopped by its own process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["-m", "agekit", "board", str(runs), "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([sys.executable, *arguments], **quiet)  # type: ignore[call-overload]
    address = f"http://127.0.0.1:{port}"
    try:
        _wait(process, f"{address}/data/runs")
        yield address
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "TensorBoard is gone"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if json.load(answer):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError("TensorBoard reads no run")
