"""Brings the compiled kernels in: where numba keeps them, and compiling them once.

The cache lies under the user's cache folder in a folder named by the kernels' source, so that an edited kernel is never
mistaken for an old one, and a checkout, a wheel and worker processes on the same machine share it. NUMBA_CACHE_DIR,
when set, is respected.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path
from types import ModuleType

SOURCES = ("inner.py", "smoothing.py", "regression.py", "kernels.py")


def cache_folder() -> Path:
    """Returns the folder compiled kernels are kept in, for this source of theirs; creates it."""
    digest = hashlib.sha256()
    for name in SOURCES:
        path = Path(__file__).with_name(name)
        if path.exists():
            digest.update(path.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = f"kernels-{digest.hexdigest()[:10]}"
    for parent in (base / "planning-workbench", Path(tempfile.gettempdir()) / f"planning-workbench-{os.getuid()}"):
        try:
            folder = parent / name
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="planning-kernels-"))


@functools.cache
def kernels() -> ModuleType:
    """Returns the module of compiled kernels; the first call on a machine compiles (about ten seconds)."""
    from numba import config

    before = config.CACHE_DIR
    if not before:
        config.CACHE_DIR = str(cache_folder())
    try:
        from planning.forecast import kernels as module
    finally:
        config.CACHE_DIR = before
    return module
