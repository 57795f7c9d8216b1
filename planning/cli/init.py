"""`planning init`: a new workspace."""

import click

from planning.cli import common


@click.command(name="init")
@click.argument("folder", metavar="DIR", type=click.Path())
@common.guarded
def command(folder: str, as_json: bool) -> None:
    """Make a new workspace in DIR: workbench.toml, notebooks, folders, data dictionary, Excel entry template.

    Files that are there already are kept; a folder that has a workbench.toml is refused.

    \b
    Example:
      planning init plan2027
      cd plan2027 && planning sample data/sample && planning check
    """
    from planning.reports.new_workspace import create

    written = create(folder)
    if as_json:
        common.show({"folder": folder, "written": written}, True)
        return
    click.echo(f"{folder}: {len(written)} files written. Next:")
    click.echo(f"  cd {folder}")
    click.echo("  planning sample data/sample     the sample company, or edit workbench.toml for your own exports")
    click.echo("  planning check")
    click.echo("  planning run annual_plan")
