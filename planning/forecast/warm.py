"""Compiles the forecast kernels once, with a line of progress: `python -m planning.forecast.warm`."""

from __future__ import annotations

import sys
import threading
import time


def main() -> int:
    """Compiles (or loads) the kernels and makes one small forecast; prints how long it took."""
    done = threading.Event()
    start = time.perf_counter()
    watch = threading.Thread(target=_show, args=(done, start), daemon=True)
    watch.start()
    try:
        import numpy as np

        from planning.forecast.engine import nodes

        nodes(10.0 + np.arange(48.0)[None, :] % 12, 3, 12, [3])
    finally:
        done.set()
        watch.join()
    print(f"\rforecast kernels ready in {time.perf_counter() - start:.1f} s", flush=True)
    return 0


def _show(done: threading.Event, start: float) -> None:
    """Writes the seconds passed every second until done; only the first line where there is no terminal."""
    print("compiling the forecast kernels, about 10 s, once", end="" if sys.stdout.isatty() else "\n", flush=True)
    while not done.wait(1.0):
        if sys.stdout.isatty():
            seconds = time.perf_counter() - start
            print(f"\rcompiling the forecast kernels, about 10 s, once: {seconds:.0f} s", end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
