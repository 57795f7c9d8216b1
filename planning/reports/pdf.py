"""Pages as PDF, printed by the Chromium of this machine; the pages' own print style decides how they look."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from planning.errors import UsageError
from planning.files import atomic_path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
QUIET = (
    "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-background-networking",
    "--disable-quic", "--disable-sync", "--disable-extensions", "--no-pdf-header-footer",
)  # fmt: skip
TIMEOUT = 90


def chromium() -> str | None:
    """Returns the path of a Chromium on this machine, or None; CHROMIUM in the environment names another."""
    named = os.environ.get("CHROMIUM")
    if named:
        return shutil.which(named)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def print_page(page: str | Path, target: str | Path | None = None) -> Path:
    """Prints one HTML page to PDF (beside it where no `target` is named) and returns the PDF's path.

    Raises UsageError when there is no Chromium, no such page, or Chromium prints nothing.
    """
    page = Path(page).resolve()
    target = Path(target) if target else page.with_suffix(".pdf")
    browser = chromium()
    if browser is None:
        raise UsageError("no Chromium was found. Install one, set CHROMIUM to its path, or print by hand.")
    if not page.is_file():
        raise UsageError(f"{page}: there is no such page. 'planning show' prints where a run's pages are.")
    with tempfile.TemporaryDirectory(prefix="planning-pdf-") as profile, atomic_path(target) as path:
        command = [browser, *QUIET, f"--user-data-dir={profile}", f"--print-to-pdf={path}"]
        # Chromium refuses to run as root in its sandbox; these pages hold no foreign script (see site.policy).
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")
        try:
            done = subprocess.run([*command, page.as_uri()], capture_output=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            text = f"{page.name}: Chromium did not print it in {TIMEOUT} s. Try again, or print by hand."
            raise UsageError(text) from None
        if not path.is_file() or path.stat().st_size == 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            last = said[-1] if said else "no word"
            raise UsageError(f"{page.name}: Chromium printed nothing ({last}). Print by hand.")
    return target


def print_run(folder: str | Path) -> list[Path]:
    """Prints the page of each step and the run's own, and returns the PDFs' paths; see `print_page`."""
    return [print_page(page) for page in sorted(Path(folder).glob("*.html")) if ".notebook." not in page.name]
