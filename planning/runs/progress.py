"""How a run shows where it is: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import threading
from typing import Any, TextIO


class Silent:
    """Shows nothing; the shape the others follow."""

    def begin(self, flow: str, run_id: str, steps: int) -> None:
        """A run of `steps` notebooks starts."""

    def started(self, notebook: str) -> None:
        """A notebook starts."""

    def cell(self, notebook: str, index: int, total: int) -> None:
        """A notebook's cell `index` (from 0) of `total` starts."""

    def ended(self, notebook: str, status: str, seconds: float, note: str = "") -> None:
        """A notebook ended."""

    def end(self) -> None:
        """The run ended."""


class Lines(Silent):
    """One line a notebook, for logs, mail and pipes."""

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._mutex = threading.Lock()

    def _say(self, text: str) -> None:
        with self._mutex:
            print(text, file=self._stream, flush=True)

    def begin(self, flow: str, run_id: str, steps: int) -> None:
        self._say(f"{flow}: run {run_id}, {steps} notebook{'s' * (steps != 1)}")

    def started(self, notebook: str) -> None:
        self._say(f"{notebook}: started")

    def ended(self, notebook: str, status: str, seconds: float, note: str = "") -> None:
        self._say(f"{notebook}: {status} in {seconds:.1f} s{': ' + note if note else ''}")


class Bar(Silent):
    """A bar over all notebooks that names the ones at work and their cells."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._at: dict[str, tuple[int, int]] = {}
        self._finished = 0
        self._mutex = threading.Lock()

    def begin(self, flow: str, run_id: str, steps: int) -> None:
        from tqdm import tqdm

        layout = "{desc:<60.60} {percentage:3.0f}%|{bar}| {elapsed}"
        self._bar = tqdm(total=steps, desc=flow, bar_format=layout, dynamic_ncols=True, leave=False, file=sys.stderr)

    def _draw(self) -> None:
        shares = sum(done / total for done, total in self._at.values() if total)
        self._bar.n = self._finished + shares
        self._bar.set_description_str(
            ", ".join(f"{name} {done}/{total}" for name, (done, total) in self._at.items()) or " "
        )

    def started(self, notebook: str) -> None:
        with self._mutex:
            self._at[notebook] = (0, 0)
            self._draw()

    def cell(self, notebook: str, index: int, total: int) -> None:
        with self._mutex:
            self._at[notebook] = (index, total)
            self._draw()

    def ended(self, notebook: str, status: str, seconds: float, note: str = "") -> None:
        with self._mutex:
            self._at.pop(notebook, None)
            self._finished += 1
            self._bar.write(f"{notebook}: {status} in {seconds:.1f} s{': ' + note if note else ''}", file=sys.stderr)
            self._draw()

    def end(self) -> None:
        if self._bar is not None:
            self._bar.close()


def for_stream(stream: TextIO | None = None) -> Silent:
    """Returns a bar when `stream` (stderr) is a terminal, plain lines otherwise."""
    return Bar() if (stream or sys.stderr).isatty() else Lines(stream)
