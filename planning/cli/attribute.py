"""`planning attribute`: says why deals were won and lost, or that it cannot be told."""

import click

from planning.cli import common


@click.command(name="attribute")
@click.argument("deals", metavar="DEALS", type=click.Path())
@click.option("--outcome", required=True, metavar="COL", help="The column that says how a deal ended.")
@click.option("--won", required=True, metavar="VALUE", help="Its value for a won deal.")
@click.option("--lost", multiple=True, metavar="VALUE", help="Its values for lost deals; may be repeated.")
@click.option("--families", required=True, metavar="F.toml", type=click.Path(), help="Field families and known_at.")
@click.option("--out", required=True, metavar="DIR", type=click.Path(), help="The folder the results go to.")
@click.option("--delta", type=click.FloatRange(0, 1), default=0.3, show_default=True,
              help="Unrecorded cause the band allows for.")
@click.option("--refits", type=click.IntRange(10, 1000), default=60, show_default=True, help="Sampler rounds, in 3s.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same intervals.")
@common.guarded
def command(
    deals: str, outcome: str, won: str, lost: tuple[str, ...], families: str, out: str, delta: float, refits: int,
    seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Weigh the families of causes in DEALS (CSV, Parquet or xlsx): weights, contributions, findings, summary.

    A refusal (the data cannot carry weights) is an answer: summary.json has `refused` and `reasons`, there is no
    weights.csv, and the exit code is 0.

    \b
    Example:
      planning attribute data/sample/deals.csv --outcome outcome --won won --families families.toml --out why
    """
    from planning.deals import family_weights, load_families
    from planning.deals.results import write_results
    from planning.sources import read_frame

    table = load_families(families)
    result = family_weights(
        read_frame(deals), families=table, outcome=outcome, won=won, lost=lost, delta=delta, refits=refits, seed=seed
    )
    write_results(result, out)
    if as_json:
        common.show({**result.summary, "weights": result.weights, "findings": result.findings}, True)
        return
    if result.refused:
        click.echo("These data cannot carry weights:")
        click.echo("\n".join(f"- {reason}" for reason in result.summary["reasons"]))
    else:
        common.show(result.weights.round(3), False)
    rules, found = ["stages_taken", "no_such_stage", "doubled_column"], result.findings
    guessed = found["rule"].eq("outcome_words") & found["severity"].eq("warning")
    for finding in found[found["rule"].isin(rules) | guessed].itertuples():
        click.echo(f"{finding.severity}: {finding.field}: {finding.evidence}. {finding.action}", err=True)
    click.echo(f"{result.summary['n']} deals, {len(result.findings)} findings; written to {out}")
