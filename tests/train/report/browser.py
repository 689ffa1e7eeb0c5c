"""Chromium, driven through a pipe by the DevTools protocol as a person drives it: pointer, keys, a window's width."""

import base64
import fcntl
import json
import os
import pathlib
import signal


class Browser:
    """One page of a headless Chromium."""

    def __init__(self, chromium: str, profile: pathlib.Path) -> None:
        from_us, self._out = os.pipe()
        self._in, to_us = os.pipe()
        command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
                   "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
                   "--remote-debugging-pipe", "about:blank"]  # fmt: skip
        # Chromium reads from 3 and writes to 4, which may be ends of our own pipes: first out of their way.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (from_us, to_us)]
        actions = [(os.POSIX_SPAWN_DUP2, end, number) for number, end in enumerate(ends, 3)]
        actions += [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        self._process = os.posix_spawn(chromium, command, dict(os.environ), file_actions=actions)
        for end in (from_us, to_us, *ends):
            os.close(end)
        self._buffer, self._number, self._session = b"", 0, None
        self.events: list[dict] = []
        (page,) = [each for each in self.call("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, **params: object) -> dict:
        """The result of a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            found = self._receive()
            if found.get("id") == self._number:
                assert "error" not in found, found
                return found["result"]
            self.events.append(found)

    def _receive(self) -> dict:
        while b"\0" not in self._buffer:
            more = os.read(self._in, 1 << 16)
            assert more, "Chromium has ended"
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def open(self, file: pathlib.Path, width: int) -> None:
        """Show a file in a window of this width."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.events.clear()
        self.call("Page.navigate", url=file.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def ask(self, expression: str) -> object:
        """The value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, selector: str, key: str, code: int, text: str = "") -> None:
        """Focus an element and press a key."""
        self.ask(f"document.querySelector({json.dumps(selector)}).focus()")
        for kind in ("keyDown", "keyUp"):
            pressed = {"type": kind, "key": key, "windowsVirtualKeyCode": code}
            self.call("Input.dispatchKeyEvent", **pressed | ({"text": text} if text and kind == "keyDown" else {}))

    def point(self, selector: str, across: float, down: float, *, click: bool = False) -> None:
        """Move the pointer to a place in an element, given as shares of its size."""
        target = f"document.querySelector({json.dumps(selector)})"
        self.ask(f"{target}.scrollIntoView({{block: 'center'}})")
        box = self.ask(f"(b => [b.x, b.y, b.width, b.height])({target}.getBoundingClientRect())")
        place = {"x": box[0] + across * box[2], "y": box[1] + down * box[3]}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **place)
        for kind in ("mousePressed", "mouseReleased") if click else ():
            self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def complaints(self) -> list[dict]:
        """Errors of scripts and of the console since the page was opened."""
        self.ask("0")
        return [
            event
            for event in self.events
            if event.get("method") == "Runtime.exceptionThrown"
            or (event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error")
        ]

    def picture(self, file: pathlib.Path) -> None:
        """Write a screenshot of the whole page."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))
