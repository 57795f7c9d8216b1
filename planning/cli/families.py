"""`planning families`: drafts which field belongs to which family, and since when it is known."""

import click

from planning.cli import common


@click.command(name="families")
@click.argument("deals", metavar="DEALS", type=click.Path())
@click.option("--outcome", required=True, metavar="COL", help="The column that says how a deal ended.")
@click.option("--won", required=True, metavar="VALUE", help="Its value for a won deal.")
@click.option("--lost", multiple=True, metavar="VALUE", help="Its values for lost deals; may be repeated.")
@click.option("--out", required=True, metavar="F.toml", type=click.Path(), help="Where the draft is written.")
@common.guarded
def command(deals: str, outcome: str, won: str, lost: tuple[str, ...], out: str, as_json: bool) -> None:
    """Draft the table of field families and known_at from DEALS (CSV, Parquet or xlsx), for a person to confirm.

    A field that is written at closing by its name or its data gets known_at = "closing"; where it cannot be told,
    known_at is left out. Both are refused as causes by `planning attribute`.

    \b
    Example:
      planning families data/sample/deals.csv --outcome outcome --won won --out families.toml
    """
    from planning.deals.drafting import draft
    from planning.files import write_text
    from planning.sources import read_frame

    drafted = draft(read_frame(deals), outcome=outcome, won=won, lost=lost)
    write_text(out, drafted.toml)
    common.show({"written": out, "fields": drafted.fields} if as_json else drafted.fields.fillna(""), as_json)
