"""Where kernels come from: started anew for each notebook (cold), or forked from a warm process.

Kernels listen on sockets in a private folder instead of TCP ports: two runs at once cannot take one another's port, and
nothing on the machine's network can reach them.
"""

from __future__ import annotations

import ast
import contextlib
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner

from planning.runs import imports, inputs, warm
from planning.runs.parameters import code_cells


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
    """Gives out managers of cold kernels; `close()` removes their sockets."""

    kind = "cold"

    def __init__(self, limits: dict[str, str], why: str = ""):
        self.limits = limits
        self.why = why
        self._sockets = Path(tempfile.mkdtemp(prefix="planning-"))
        self._count = 0
        self._mutex = threading.Lock()

    def manager(self) -> Manager:
        """Returns a manager for one new kernel."""
        with self._mutex:
            self._count += 1
            name = f"k{self._count}"
        manager = Manager(connection_file=str(self._sockets / f"{name}.json"))
        if os.name == "posix":
            manager.transport = "ipc"
            manager.ip = str(self._sockets / name)
        manager.kernel_id = name
        manager.provisioner = self._provisioner(manager)
        return manager

    def _provisioner(self, manager: Manager) -> LocalProvisioner:
        return LocalProvisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)

    def close(self) -> None:
        """Removes the sockets of this run."""
        shutil.rmtree(self._sockets, ignore_errors=True)


class WarmKernels(Kernels):
    """Gives out kernels forked from one warm process, which is renewed when the package's source changes."""

    kind = "warm"

    def __init__(self, limits: dict[str, str], preload: Iterable[str]):
        super().__init__(limits)
        self._preload = list(preload)
        self._start()

    def _start(self) -> None:
        self._source = inputs.package_sha256()
        self.zygote = warm.Zygote(self._preload, self.limits)
        try:
            self.report = self.zygote.ready()
        except warm.WarmError:
            self.zygote.close()
            raise

    def _provisioner(self, manager: Manager) -> LocalProvisioner:
        with self._mutex:
            if inputs.package_sha256() != self._source:
                # Kernels of the old code may still run: the old process ends with this one, when they are done.
                self._old = [*getattr(self, "_old", []), self.zygote]
                self._start()
        made = warm.WarmProvisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)
        made.zygote = self.zygote
        return made

    def close(self) -> None:
        """Ends the warm process and removes the sockets."""
        for zygote in [*getattr(self, "_old", []), self.zygote]:
            zygote.close()
        super().close()


def source(
    kind: str, jobs: int, notebooks: Iterable[Path] = (), *, why: str = "", reports: Path | None = None
) -> Kernels:
    """Returns the kernels of a run: warm ones where asked and where they pass their self-test, else cold ones.

    notebooks: what will be executed; the modules they import are imported once, before the first fork. With `reports`
    also those that they imported late when they ran before.
    """
    limits = warm.thread_limits(jobs)
    if kind != "warm":
        return Kernels(limits, why or "as [run] kernel says")
    if not sys.platform.startswith("linux"):
        return Kernels(limits, f"warm kernels are not tested on {sys.platform}")
    notebooks = list(notebooks)
    preload, late = preload_for(notebooks), imports.known(reports, (p.stem for p in notebooks)) if reports else []
    try:
        if late:
            with contextlib.suppress(warm.WarmError):
                return WarmKernels(limits, [*preload, *late])
            imports.forget(reports)
        return WarmKernels(limits, preload)
    except (warm.WarmError, OSError) as error:
        return Kernels(limits, f"no warm kernels here: {error}")


def preload_for(notebooks: Iterable[Path]) -> list[str]:
    """Returns the modules to import before the first fork: the common ones and those of the notebooks' own imports."""
    found = dict.fromkeys(warm.PRELOAD)
    for path in notebooks:
        for cell in code_cells(path):
            found |= dict.fromkeys(_imports("".join(cell["source"])))
    return list(found)


def _imports(source: str) -> list[str]:
    """The modules a cell imports at its top level; a name of a package may be a module of it."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return []
    names: list[str] = []
    for statement in body:
        if isinstance(statement, ast.Import):
            names += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
            names.append(statement.module)
            if statement.module.split(".")[0] == "planning":
                names += [f"{statement.module}.{alias.name}" for alias in statement.names]
    return [name for name in names if name.split(".")[0] != "__future__"]
