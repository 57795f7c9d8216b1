"""Secrets come from the environment as `${NAME}`, live in memory only, and are blanked out of every text.

A value that held a `${NAME}` is kept as `SecretStr`, whose text form is asterisks. Each value read from the
environment is also remembered here, so that `redact` can blank it out of an error of a database driver or a log.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

NAME = re.compile(r"\$\{([^}]*)\}")
BLANK = "***"

_seen: set[str] = set()


class MissingVariable(Exception):
    """A `${NAME}` names no variable of the environment; the text is the name."""


def resolve(text: str, environment: Mapping[str, str] | None = None) -> str:
    """Returns `text` with each `${NAME}` replaced by the environment's value, which `redact` blanks from then on.

    Raises MissingVariable with the name of the first variable that is not set or empty.
    """
    environment = os.environ if environment is None else environment

    def value(match: re.Match[str]) -> str:
        found = environment.get(match.group(1), "")
        if not found:
            raise MissingVariable(match.group(1))
        _seen.add(found)
        return found

    return NAME.sub(value, text)


def remember(text: str) -> None:
    """Lets `redact` blank `text` out as well (a whole database address, say)."""
    if text:
        _seen.add(text)


def redact(text: str) -> str:
    """Returns `text` with every secret that was read so far, also in its URL-quoted form, as `***`.

    >>> remember("hunter2"); redact("login hunter2 refused")
    'login *** refused'
    """
    from urllib.parse import quote, quote_plus

    for secret in sorted(_seen, key=len, reverse=True):
        for form in {secret, quote(secret, safe=""), quote_plus(secret)}:
            text = text.replace(form, BLANK)
    return text
