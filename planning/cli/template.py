"""`planning template`: the Excel entry template."""

import click

from planning.cli import common


@click.command(name="template")
@click.argument("out", metavar="OUT.xlsx", type=click.Path())
@click.option("--table", "tables", multiple=True, metavar="NAME", help="A table to include (default: all).")
@common.guarded
def command(out: str, tables: tuple[str, ...], as_json: bool) -> None:
    """Write an Excel workbook to type data into: one sheet a table, with choices, checks and meanings.

    \b
    Example:
      planning template entry.xlsx --table capacity --table adjustments
    """
    from planning.reports.entry_template import write_entry_template

    common.show(write_entry_template(out, tables), as_json)
