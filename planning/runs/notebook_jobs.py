"""JupyterLab's "Notebook Jobs" panel, run by us (optional extra `scheduler`: jupyter-scheduler).

Its own manager writes parameters into the notebook as raw code and calls a failed notebook completed. This one hands
the job to `launch.start`: parameters are checked against the notebook's own cell, the run gets its folder and pages,
and the state of the job is that of the run. `planning lab` switches it on where the extra is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from jupyter_scheduler.executors import DefaultExecutionManager

from planning.errors import NotebookError
from planning.runs import declaration, launch, layout


class PlanningExecutionManager(DefaultExecutionManager):
    """Runs a job of the panel as a run of the workbench; `root_dir` is the workspace, as `planning lab` sets it."""

    def execute(self) -> None:
        """Runs the notebook of that name in the workspace; what the panel offers to download is the executed copy.

        Raises the error of a wrong parameter, or NotebookError with the cause of a failed run: the panel shows it.
        """
        job = self.model
        name = Path(job.input_filename).stem
        record = launch.start(name, given=job.parameters or {}, root=self.root_dir, trigger="notebook jobs")
        step = record["steps"][0]
        executed = Path(record["folder"]) / step["notebook_file"]
        if executed.is_file():
            self.create_output_files(job, nbformat.read(executed, as_version=4))
        if record["status"] != "ok":
            error: dict[str, Any] = record["error"] or {}
            cell = f"cell {error['cell']}: " if error.get("cell") else ""
            raise NotebookError(f"{record['status']}: {cell}{error.get('message', '')} Run {record['id']}.")

    def validate(cls, input_path: str) -> bool:
        """Tells whether the file is a notebook of this workspace whose declarations can be read."""
        declared = declaration.read(input_path)
        return declared.notebook in layout.notebooks(layout.workspace(Path(input_path).parent))
