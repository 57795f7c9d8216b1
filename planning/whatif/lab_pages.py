"""What `planning lab` adds to JupyterLab: report pages that work in their own tab, and sources that stay sources.

JupyterLab shows an HTML file in a frame without script, where neither the links between pages nor the CSV buttons
work, and its `/files/` allows no download. Here a page opens under `/planning/pages/`: behind the same login, still
apart from the server (`sandbox`, no origin of its own), with the page's own policy, and with downloads.

A notebook of the workspace is saved without outputs: what a run shows lies in the run's folder, and panels cannot be
shown from a file anyway.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import AuthenticatedFileHandler, JupyterHandler

from planning.whatif.links import PAGES


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
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            cell["metadata"].pop("execution", None)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "planning.whatif.lab_pages"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Called by Jupyter when it starts."""
    base = server.web_app.settings["base_url"].rstrip("/")
    reports = Path(server.root_dir) / "reports"
    server.web_app.add_handlers(".*$", [(f"{base}{PAGES}(.*)", PageHandler, {"path": str(reports)})])
    server.contents_manager.register_pre_save_hook(without_outputs)
