"""What `planning lab` adds to JupyterLab: report pages that work in their own tab, and sources that stay sources.

JupyterLab shows an HTML file in a frame without script, where neither the links between pages nor the CSV buttons
work, and its `/files/` allows no download. Here a page opens under `/planning/pages/`: behind the same login, still
apart from the server (`sandbox`, no origin of its own), with the page's own policy, and with downloads.

A notebook of the workspace is saved without outputs: what a run shows lies in the run's folder, and panels cannot be
shown from a file anyway. It is opened with the kernel's own words in it, which JupyterLab would add, so that what was
only looked at does not count as changed; and the home notebook is opened with what there is to do, before it is run.
"""

from __future__ import annotations

import inspect
import platform
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import AuthenticatedFileHandler, JupyterHandler

from planning.whatif.links import PAGES

HOME = "notebooks/home.ipynb"
SOURCE = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
# What ipykernel says of itself.
_LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3}, "file_extension": ".py", "mimetype": "text/x-python",
    "name": "python", "nbconvert_exporter": "python", "pygments_lexer": "ipython3",
    "version": platform.python_version(),
}  # fmt: skip


class PageHandler(AuthenticatedFileHandler):
    """Serves files of the reports folder to whoever is logged in."""

    @property
    def content_security_policy(self) -> str:
        """The server's policy, a sandbox that may open pages and save files."""
        own = JupyterHandler.content_security_policy.fget(self)
        return own + "; sandbox allow-scripts allow-downloads allow-popups allow-popups-to-escape-sandbox"

    def check_xsrf_cookie(self) -> None:
        """A page links others from a sandbox, which sends no origin; reading needs the login and changes nothing."""


def without_outputs(model: dict[str, Any], path: str, **_others: Any) -> None:
    """Takes outputs and widgets' states out of a notebook of `notebooks/` before it is saved (a pre-save hook)."""
    if model["type"] != "notebook" or not path.strip("/").startswith("notebooks/"):
        return
    content = model["content"]
    content["metadata"].pop("widgets", None)
    content["metadata"] |= SOURCE
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)


def opened(model: dict[str, Any], path: str, root: Path, display_name: str) -> dict[str, Any]:
    """Returns a notebook of `notebooks/` as JupyterLab is to open it; anything else as it is."""
    if model["type"] != "notebook" or not model.get("content") or not path.strip("/").startswith("notebooks/"):
        return model
    metadata = model["content"]["metadata"]
    if metadata.get("kernelspec", {}).get("name") == "python3":
        metadata["kernelspec"] = {**SOURCE["kernelspec"], "display_name": display_name}
        metadata["language_info"] = dict(_LANGUAGE)
    if path.strip("/") == HOME:
        _show(model["content"]["cells"], root)
    return model


def _show(cells: list[dict[str, Any]], root: Path) -> None:
    """Puts the state of the plan below the cell that shows it; our own words, escaped, so they may be trusted."""
    from planning.whatif import home

    for cell in cells:
        if cell["cell_type"] == "code" and "".join(cell["source"]).strip() == "whatif.show()" and not cell["outputs"]:
            text = home.show(root=root)._repr_html_()
            cell["outputs"] = [{"output_type": "display_data", "data": {"text/html": text}, "metadata": {}}]
            cell["metadata"]["trusted"] = True


def _open_by(manager: Any, root: Path, display_name: str) -> None:
    """Lets the server's own reading of files pass through `opened`."""
    get = manager.get

    async def read(path: str, *arguments: Any, **options: Any) -> Any:
        return opened(await get(path, *arguments, **options), path, root, display_name)

    if inspect.iscoroutinefunction(get):
        manager.get = read


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "planning.whatif.lab_pages"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Called by Jupyter when it starts."""
    base = server.web_app.settings["base_url"].rstrip("/")
    reports = Path(server.root_dir) / "reports"
    server.web_app.add_handlers(".*$", [(f"{base}{PAGES}(.*)", PageHandler, {"path": str(reports)})])
    server.contents_manager.register_pre_save_hook(without_outputs)
    spec = server.kernel_spec_manager.get_kernel_spec("python3")
    _open_by(server.contents_manager, Path(server.root_dir), spec.display_name)
