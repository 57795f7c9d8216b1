"""`planning lab`: JupyterLab on the notebooks."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import click

from planning.cli import common


@click.command(short_help="Open JupyterLab on the notebooks.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port on this machine (default: a free one from 8888).")
@click.option("--no-browser", is_flag=True, help="Do not open a browser; print the address.")
@common.guarded
def command(port: int | None, no_browser: bool, as_json: bool) -> None:
    """Opens JupyterLab on this workspace, starting at its home notebook.

    It listens on this machine only.

    \b
    planning lab
    planning lab --no-browser --port 8899
    """
    from planning.runs import layout

    root = layout.workspace()
    words = arguments(root, port, no_browser)
    if as_json:
        common.show({"command": words, "folder": str(root)}, True)
        return
    os.chdir(root)
    os.environ |= environment(root)
    os.execv(words[0], words)


def environment(root: Path) -> dict[str, str]:
    """Returns what JupyterLab and its kernels are told: the workspace, where pages open, and our default settings."""
    from planning.whatif import links

    config = [str(links.LAB_CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    return {
        "PLANNING_WORKSPACE": str(root), "PLANNING_PAGES": links.PAGES, "JUPYTER_CONFIG_PATH": os.pathsep.join(config)
    }  # fmt: skip


def arguments(root: Path, port: int | None, no_browser: bool) -> list[str]:
    """Returns the command that starts JupyterLab on a workspace."""
    home = "/lab/tree/notebooks/home.ipynb" if (root / "notebooks" / "home.ipynb").is_file() else "/lab/tree/notebooks"
    words = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={root}", "--ServerApp.ip=127.0.0.1"]
    words += [f"--LabApp.default_url={home}", "--KernelManager.transport=ipc" if os.name == "posix" else ""]
    words.append("--ServerApp.jpserver_extensions=planning.whatif.lab_pages=True")
    # No request to anywhere; that nobody is asked about news stands in the settings `environment` points at.
    words.append("--LabApp.extension_manager=readonly")
    words += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if importlib.util.find_spec("jupyter_scheduler"):
        words.append("--Scheduler.execution_manager_class=planning.runs.notebook_jobs.PlanningExecutionManager")
    words += [f"--ServerApp.port={port}"] if port else []
    words += ["--no-browser"] if no_browser else []
    return [*[word for word in words if word], *(["--allow-root"] if os.name == "posix" and os.getuid() == 0 else [])]
