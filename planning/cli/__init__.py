"""The command line: arguments → one call → a printed table, or `--json`.

A command lives in the module of its name and is imported only when it is called, so that `planning --help` answers
at once.
"""

from __future__ import annotations

import gc
import importlib
import re
import sys

import click

from planning import __version__, cache
from planning.errors import did_you_mean

COMMANDS = {
    "init": "Make a new workspace: workbench.toml, notebooks, folders.",
    "sample": "Write the sample company's tables and its truth.",
    "template": "Write the Excel workbook to type data into.",
    "check": "Read every configured source and print all faults at once.",
    "forecast": "Forecast series with intervals, coherent over a hierarchy where asked.",
    "targets": "Set the year's target and split it, exact to the cent.",
    "plans": "List the versions of the annual plan and its budget.",
    "allocate": "Split a budget over regions and lines, with proof.",
    "families": "Draft the table of field families and known_at for deals.",
    "attribute": "Say why deals were won and lost, or that it cannot be told.",
    "run": "Execute a notebook or a flow and write its pages.",
    "runs": "List the runs.",
    "show": "Show one run.",
    "diff": "Compare two runs, two plans or two budgets.",
    "resume": "Go on with an interrupted or failed run.",
    "schedule": "List, explain and run what is due.",
    "lab": "Open JupyterLab on the notebooks.",
    "doctor": "Check this machine: versions, fonts, browser, kernels, permissions.",
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one only when it runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        return importlib.import_module(f"planning.cli.{name}").command

    def resolve_command(self, ctx: click.Context, args: list[str]):
        if args and args[0] not in COMMANDS:
            ctx.fail(f"there is no command '{args[0]}'.{did_you_mean(args[0], COMMANDS)} See 'planning --help'.")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="planning")
def group() -> None:
    """The sales planning workbench.

    \b
    planning sample data/sample       writes the sample company
    planning check                    reads every source of workbench.toml, prints all faults
    planning run annual_plan          makes the annual plan; open reports/index.html
    """


def main() -> None:
    """The entry point `planning`."""
    cache.keep_bytecode()
    gc.set_threshold(50_000, 20, 20)  # imports make many objects and no garbage; looking for it takes a tenth of a run
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A name in Chinese must print on a terminal that declares ASCII rather than end the run.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = group(prog_name="planning", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        print(f"error: {_one_line(error)}", file=sys.stderr)
        code = error.exit_code
    except click.Abort:
        print("error: stopped by the keyboard.", file=sys.stderr)
        code = 1
    sys.exit(code if isinstance(code, int) else 0)


def _one_line(error: click.ClickException) -> str:
    """A mistake in the words of a command as one line with the nearest right word and where the words stand."""
    text = " ".join(error.format_message().split())
    of = getattr(getattr(error, "param", None), "type", None)
    said = re.search(r"'([^']*)' is not one of", text)
    if isinstance(of, click.Choice) and said:
        text += did_you_mean(said[1], of.choices)
    path = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "planning"
    return text if "--help" in text else f"{text} See '{path} --help'."
