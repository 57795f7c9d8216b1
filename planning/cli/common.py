"""What every command shares: `--json`, `--debug`, errors as lines on stderr, exit codes."""

from __future__ import annotations

import functools
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from planning.errors import PlanningError

INTERNAL_ERROR = 3


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a command: adds `--json` (as `as_json`) and `--debug`; prints an error as lines and sets the exit code.

    A `PlanningError` exits with its own code, any other exception with 3 and one line.
    """

    @click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def wrapper(*args: Any, debug: bool, **options: Any) -> None:
        try:
            function(*args, **options)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except PlanningError as error:
            fail(error, str(error), error.exit_code, debug)
        except BrokenPipeError:
            sys.stderr.close()
            sys.exit(0)
        except MemoryError as error:
            fail(
                error, "this machine's memory does not suffice. Use fewer rows, or a folder of Parquet parts.", 1, debug
            )
        except Exception as error:
            text = f"internal error: {type(error).__name__}: {error} (--debug shows the traceback)"
            fail(error, " ".join(text.split()), INTERNAL_ERROR, debug)

    return wrapper


def fail(error: BaseException, text: str, code: int, debug: bool) -> None:
    """Prints `text` on stderr, one cause a line, and exits with `code`."""
    if debug:
        traceback.print_exception(error)
    for line in text.splitlines() or [type(error).__name__]:
        print(f"error: {line}", file=sys.stderr)
    sys.exit(code)


def plain(value: Any) -> Any:
    """Returns frames, arrays, numbers and dates as what JSON can hold; NaN becomes null."""
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        return [plain(row) for row in value.to_dict("records")]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if hasattr(value, "tolist") and not isinstance(value, str):
        return plain(value.tolist())
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return None if str(value) in ("NaT", "<NA>") else str(value)


def show(result: Any, as_json: bool) -> None:
    """Prints a frame as an aligned table or a dict as `name  value` lines; as JSON where asked."""
    if as_json:
        click.echo(json.dumps(plain(result), ensure_ascii=False, indent=2))
    elif hasattr(result, "to_string"):
        click.echo(result.to_string(index=False) if len(result) else "(no rows)")
    elif isinstance(result, dict):
        width = max((len(str(key)) for key in result), default=0)
        for key, value in result.items():
            click.echo(f"{key!s:<{width}}  {value}")
    else:
        click.echo(result)
