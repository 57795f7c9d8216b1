"""papermill and nbclient, imported at half their price.

The validator of the notebook format can check addresses and durations, for which it builds two parsers at import; that
takes longer than papermill itself and no notebook needs it. papermill brings in pyarrow, and with it numpy, to read
notebooks from HDFS. All of them are optional, so they are hidden meanwhile.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Makes modules that were not imported yet seem absent inside the block."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _hidden("rfc3987_syntax", "isoduration", "pyarrow"):
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.exceptions import PapermillExecutionError
    from papermill.iorw import papermill_io

# papermill goes to the working folder of a run's start for each file it reads or writes, and back. That folder belongs
# to the whole process: notebooks that run side by side moved it under one another, and left it where an earlier run
# had been. Every path we give is absolute, so nobody needs to go anywhere.
papermill_io.get_handler("local").cwd = lambda _folder: None

__all__ = [
    "CellTimeoutError",
    "DeadKernelError",
    "NBClientEngine",
    "PapermillExecutionError",
    "PapermillNotebookClient",
    "papermill",
    "papermill_engines",
]
