"""The cache folder: bytecode goes there where it may not lie beside the sources; nobody else's folder is trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from planning import cache


def run(code: str, home: Path, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    out = subprocess.run(
        [sys.executable, "-c", code], env={**kept, "XDG_CACHE_HOME": str(home), **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return out.stdout.strip()


def test_bytecode_is_kept_in_the_cache_where_none_may_lie_beside_the_sources(tmp_path):
    (tmp_path / "lib").mkdir()
    module = tmp_path / "lib" / "some_module.py"
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import some_module, another'])"
    code = "from planning import cache; cache.keep_bytecode(); import some_module; print(some_module.VALUE);" + child
    (tmp_path / "lib" / "another.py").touch()
    given = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{Path(cache.__file__).parents[1]}:{module.parent}"}
    for value in (1, 22):  # an edited source is compiled again
        module.write_text(f"VALUE = {value}\n")
        assert run(code, tmp_path / "home", **given) == str(value)
    kept = (tmp_path / "home" / "planning-workbench" / "bytecode").rglob("*.pyc")
    assert {path.name.split(".")[0] for path in kept} >= {"some_module", "another"}  # of a process it starts as well
    assert not list(module.parent.rglob("*.pyc"))


def test_python_keeps_its_own_ways_where_nothing_forbids_them(tmp_path):
    code = "import sys; from planning import cache; cache.keep_bytecode(); print(sys.pycache_prefix)"
    where = {"PYTHONPATH": str(Path(cache.__file__).parents[1])}
    assert run(code, tmp_path, **where) == "None"
    own = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(tmp_path / "own")}
    assert run(code, tmp_path, **where, **own) == str(tmp_path / "own")


def test_a_folder_somebody_else_has_made_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder("kernels") == tmp_path / "planning-workbench" / "kernels"
    monkeypatch.setattr(os, "getuid", lambda: os.stat(tmp_path).st_uid + 1)
    assert tmp_path not in cache.folder("kernels").parents
