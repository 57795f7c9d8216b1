"""`planning sample`: writes the sample company."""

import click

from planning.cli import common


@click.command(name="sample")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=True))
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same bytes.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Multiplies deals and accounts.")
@common.guarded
def command(folder: str, seed: int, scale: float, as_json: bool) -> None:
    """Write the sample company's tables into DIR as CSV, and its truth into DIR/truth.

    An industrial supplier: 90 cells of monthly sales 2021-2026, 60 sales people, about 4,000 deals, weekly spend.
    DIR is written whole or not at all. A folder written by this command is replaced; a folder that holds other files
    is refused.

    \b
    Example:
      planning sample data/sample
      planning sample /tmp/large --seed 7 --scale 10 --json
    """
    from planning.sample import write

    common.show(write(folder, seed=seed, scale=scale), as_json)
