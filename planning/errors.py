"""Errors that say what was found and what to do, and the exit code each one means.

```
PlanningError            1   the data or a check failed
├── DataError            1   wrong contents of a table; carries every fault found
├── UsageError           2   wrong call: a missing file, a folder where a file is meant, an impossible option
│   └── ConfigError      2   workbench.toml or a policy file: unknown key, wrong type, missing variable
└── ModelError           3   a model could not be fitted
    └── NotebookError    3   a notebook failed
```

The text of an error is one line a cause; each line ends with the way out.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


class PlanningError(Exception):
    """An error a user can act on. `str(error)` is one line a cause."""

    exit_code = 1


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one input: where it is, what was found, what to do.

    `row` is the line a person sees in the file (the header is row 1); None means the whole file. `severity` is
    "fault" (stop) or "warning" (go on, counted in the report).
    """

    file: str
    row: int | None
    column: str | None
    found: str
    fix: str
    severity: str = "fault"

    def line(self) -> str:
        """The fault in the current language: `sales.csv, row 7, column amount: found "x". Write a number.`"""
        from planning.language import _  # language raises errors of this module

        place = [self.file]
        if self.row is not None:
            place.append(_("row {row}").format(row=self.row))
        if self.column is not None:
            place.append(_("column {column}").format(column=self.column))
        said = {"place": _(", ").join(place), "found": self.found, "fix": self.fix}
        return _("{place}: {found}. {fix}").format(**said).strip()


class DataError(PlanningError):
    """Wrong contents of a table. `faults` holds every fault found, in file order."""

    def __init__(self, message: str = "", faults: Iterable[Fault] = ()):
        self.faults = list(faults)
        super().__init__(message or "\n".join(fault.line() for fault in self.faults))


class UsageError(PlanningError):
    """The call itself is wrong: a missing file, an unknown option value, an impossible combination."""

    exit_code = 2


class ConfigError(UsageError):
    """A configuration or policy file is wrong: the text names the key's path and the nearest right key."""


class ModelError(PlanningError):
    """A model could not be fitted or did not converge."""

    exit_code = 3


class NotebookError(ModelError):
    """A notebook failed; the text names the notebook, the cell and where the executed copy lies."""


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """Returns the choice that a misspelt `word` most likely meant, or None when nothing is near.

    >>> nearest("regoin", ["region", "line"])
    'region'
    """
    by_fold = {str(choice).casefold(): str(choice) for choice in choices}
    found = difflib.get_close_matches(str(word).casefold(), list(by_fold), n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Returns ` Did you mean 'x'?` for the nearest choice, or an empty text.

    >>> did_you_mean("ammount", ["amount"])
    " Did you mean 'amount'?"
    """
    guess = nearest(word, choices)
    return f" Did you mean '{guess}'?" if guess else ""
