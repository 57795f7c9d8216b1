"""The user's cache folder: what is made once a machine and may be deleted at any time.

    kernels-<hash>/    forecast kernels compiled by numba, by the hash of their source
    templates/         compiled templates of the pages
    bytecode/          compiled Python modules, where Python was told to write none beside the sources
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def home() -> Path:
    """Returns where the cache lies: below XDG_CACHE_HOME, else ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "planning-workbench"


def folder(name: str) -> Path:
    """Returns the folder `name` of the cache, made where it is missing; a temporary one where none can be written."""
    for parent in (home(), Path(tempfile.gettempdir()) / f"planning-workbench-{os.getuid()}"):
        try:
            place = parent / name
            parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(exist_ok=True)
            # Code is run from here: a folder that somebody else has made in the shared /tmp is not ours to trust.
            if parent.stat().st_uid == os.getuid() and os.access(place, os.W_OK):
                return place
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="planning-"))


def keep_bytecode() -> None:
    """Keeps compiled modules in the cache where PYTHONDONTWRITEBYTECODE wants none beside the sources.

    Containers and read-only installs often set it; then every process compiles thousands of modules anew, which takes
    longer than running them. Modules imported later in this process, and in those it starts (JupyterLab, kernels), are
    read from and written to the cache; nothing is written beside a source, and a prefix of the user's own stays.
    """
    if sys.dont_write_bytecode and sys.pycache_prefix is None:
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(folder("bytecode"))
        sys.dont_write_bytecode = False
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
