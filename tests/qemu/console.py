# SPDX-License-Identifier: MIT
"""A QEMU process and the text on its console: wait for a pattern, type, wait for the end."""

import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable

LIMIT = 300.0  # seconds for one wait; generous, for a limit only bounds a hang and must never decide a test


class Failure(Exception):
    """A test did not see what it must see; the text says what, with the tail of the console."""


class Console:
    """Starts `command` in a session of its own. Use it in a `with`: on leaving, the whole process group is killed."""

    _alive: set["Console"] = set()
    _lock = threading.Lock()

    def __init__(self, command: list[str]) -> None:
        self.text = ""  # all output so far, without carriage returns
        self._position = 0  # what lies before it has been matched
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         start_new_session=True)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._process.stdout, selectors.EVENT_READ)
        with Console._lock:
            Console._alive.add(self)

    def __enter__(self) -> "Console":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.wait()
        self._selector.close()
        self._process.stdin.close()
        self._process.stdout.close()
        with Console._lock:
            Console._alive.discard(self)

    def kill(self) -> None:
        """Ends the process group at once."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    @classmethod
    def kill_all(cls) -> None:
        """Ends every console that is in use, in whichever thread."""
        with cls._lock:
            for console in cls._alive:
                console.kill()

    def expect(self, pattern: str, limit: float = LIMIT) -> re.Match:
        """Waits until `pattern` (multi-line) matches what came after the last match; `limit` is in seconds.

        A `$` at its end is the end of a line that has come whole."""
        regex = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + limit

        def search() -> re.Match | None:
            end = self.text.rfind("\n") if pattern.endswith("$") else len(self.text)
            return regex.search(self.text, self._position, max(end, self._position))

        while not (match := search()):
            if not self._read(deadline):
                raise self.failure(f"the console ended (status {self._process.wait()}) before /{pattern}/")
        self._position = match.end()
        return match

    def expect_all(self, *patterns: str, limit: float = LIMIT) -> None:
        """As expect() for each pattern, in whichever order they come."""
        start = end = self._position
        for pattern in patterns:
            self._position = start
            self.expect(pattern, limit)
            end = max(end, self._position)
        self._position = end

    def until(self, condition: Callable[[], bool], what: str, limit: float = LIMIT) -> None:
        """Asks again and again until `condition` holds; `what` is said if it never does."""
        deadline = time.monotonic() + limit
        while not condition():
            if time.monotonic() > deadline:
                raise self.failure(what)

    def send(self, text: str) -> None:
        """Types `text`."""
        try:
            self._process.stdin.write(text.encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self.failure(f"the console ended before {text!r} could be typed") from None

    def finish(self, limit: float = LIMIT) -> int:
        """Waits for the process to end by itself; returns its exit status."""
        deadline = time.monotonic() + limit
        while self._read(deadline):
            pass
        return self._process.wait()

    def failure(self, reason: str) -> Failure:
        """A Failure with `reason` and the console's last lines."""
        tail = "\n".join("    | " + line for line in self.text.splitlines()[-30:])
        return Failure(f"{reason}; the console's tail:\n{tail}")

    def _read(self, deadline: float) -> bool:
        """Takes in some output; false at its end."""
        if not self._selector.select(max(0.0, deadline - time.monotonic())):
            raise self.failure("nothing was seen within the time limit")
        data = os.read(self._process.stdout.fileno(), 65536)
        self.text += data.decode(errors="replace").replace("\r", "")
        return bool(data)
