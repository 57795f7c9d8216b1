"""Regional budget against its baselines on simulated worlds with known truth. Run by hand: `make bench-budget`.

    python benchmarks/budget.py                  everything, 20 worlds a setting (about three minutes)
    python benchmarks/budget.py --worlds 5       a quick look
    python benchmarks/budget.py --only regret    one part: regret, pilots, demand, solver, fit, meridian, peers
    python benchmarks/budget.py --only peers --peers DIR --worlds 3   PyMC-Marketing from a venv in DIR, made when
        missing (830 MB); about six CPU minutes a world, its splits are kept there

Regret is the share of the best possible response lost, scored on the true curves; the split is free unless it says
"within 30 %". Worlds come from `planning.budget.simulate` (6 regions x 104 weeks x 3 lines).
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from scipy.optimize import nnls  # noqa: E402

from planning.budget.allocation import allocate  # noqa: E402
from planning.budget.curves import Curves, Table, shape, shape_slope  # noqa: E402
from planning.budget.fit import Whitener, carry  # noqa: E402
from planning.budget.response import fit_response  # noqa: E402
from planning.budget.simulate import World, simulate_world  # noqa: E402
from planning.budget.solver import Groups, solve  # noqa: E402

SETTINGS = [
    ("Hill, 5 % noise", {"noise": 0.05}), ("Hill, 10 % noise", {"noise": 0.10}), ("log, 5 % noise", {"form": "log"}),
    ("S-shaped 1.6, 5 %", {"form": "s"}),
]  # fmt: skip
DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "spend" / "meridian_geo_all_channels.csv"


def best_value(world: World) -> float:
    """Return the response of the best split of today's total on the true curves."""
    total, cells = world.current.sum(), len(world.current)
    if world.truth.form == "s":
        from planning.budget.branches import solve_s_shaped

        return solve_s_shaped(world.truth, total, np.zeros(cells), np.full(cells, total)).value
    found = solve(world.truth, total, np.zeros(cells), np.full(cells, total))
    return float(world.truth.value(found.x).sum())


def regret(world: World, x: np.ndarray, best: float) -> float:
    """Return the share of the best response that a split loses."""
    return 1 - float(world.truth.value(x).sum()) / best


def ours(world: World, *, pooling=None, pilots=None, move_limit=None, draws=400):
    """Fit and split; returns the split, the response and the CPU seconds."""
    began = time.process_time()
    response = fit_response(world.spend, world.outcome, pilots=pilots, draws=draws, pooling=pooling)
    table = allocate(response, move_limit=move_limit).table
    spent = time.process_time() - began
    keys = world.cells.merge(table, on=["region", "line"], how="left")
    return keys["allocated"].to_numpy(), response, spent


def dictionary(world: World) -> np.ndarray:
    """Split by non-negative least squares on a dictionary of saturation curves, one region at a time."""
    from planning.budget.panel import build_panel

    panel = build_panel(world.spend, world.outcome)
    whiten = Whitener(panel.base, panel.seen, 0.0)
    y = whiten(panel.y[..., None])[..., 0]
    halves, alphas = (0.3, 1.0, 3.0), (0.0, 0.3, 0.6)
    total, knots = world.current.sum(), 129
    tables = []
    for r in range(len(panel.regions)):
        columns, kinds = [], []
        for j in range(len(panel.lines)):
            usual = panel.x[r, j].mean()
            for alpha in alphas:
                carried = carry(panel.x[r : r + 1, j : j + 1], np.array([alpha]))[0, :, 0]
                for half in halves:
                    columns.append(shape(carried, np.array(half * usual), "hill"))
                    kinds.append((j, half * usual))
        one = Whitener(panel.base[r : r + 1], panel.seen[r : r + 1], 0.0)
        design = one(np.stack(columns, axis=1)[None])[0]
        weight, _ = nnls(design, y[r])
        for j in range(len(panel.lines)):
            grid = total * np.linspace(0, 1, knots) ** 2
            own = [(w, np.array(k)) for w, (i, k) in zip(weight, kinds, strict=True) if i == j]
            slope = sum(w * shape_slope(grid, k, "hill") for w, k in own)
            tables.append((grid, np.asarray(slope) + 1e-9 / (1 + grid)))
    grid, slope = (np.stack([t[i] for t in tables]) for i in (0, 1))
    table = Table(grid, slope, np.zeros(len(grid)))
    return solve(table, total, np.zeros(len(grid)), np.full(len(grid), total)).x


def bench_regret(worlds: int) -> None:
    """Regret of every method on the same worlds, coverage of the intervals, and how often the limited split beats
    today's."""
    print("\nRegret %, mean (p90) over the same worlds; captured: share of the gain over last year's split")
    head = [
        "world",
        "last year",
        "prop. sales",
        "NNLS",
        "no pooling",
        "full pooling",
        "EB (ours)",
        "captured",
        "cover 90",
    ]
    print(" | ".join([*head, "better than last year within 30 %", "CPU s"]))
    for name, options in SETTINGS:
        rows, cover, better, spent = [], [], 0, []
        for seed in range(worlds):
            world = simulate_world(seed, **options)
            best = best_value(world)
            share = np.repeat(world.size, len(world.current) // len(world.size))
            x, response, seconds = ours(world)
            lo, hi = np.quantile(response.draws.response(world.current), [0.05, 0.95], axis=0)
            true = world.truth.value(world.current)
            cover.append(((true >= lo) & (true <= hi)).mean())
            limited = allocate(response, move_limit=0.3).table["allocated"].to_numpy()
            better += world.truth.value(limited).sum() > world.truth.value(world.current).sum()
            spent.append(seconds)
            splits = [
                world.current, share / share.sum() * world.current.sum(), dictionary(world),
                ours(world, pooling=2.0)[0], ours(world, pooling=0.03)[0], x,
            ]  # fmt: skip
            rows.append([regret(world, split, best) for split in splits])
        table = 100 * np.array(rows)
        cells = [f"{m:.2f} ({p:.2f})" for m, p in zip(table.mean(axis=0), np.quantile(table, 0.9, axis=0), strict=True)]
        captured = 1 - table[:, 5].mean() / table[:, 0].mean()
        tail = [f"{captured:.2f}", f"{np.mean(cover):.2f}", f"{better}/{worlds}", f"{np.median(spent):.2f}"]
        print(" | ".join([name, *cells, *tail]))


def bench_pilots(worlds: int) -> None:
    """Six pilots (three lines in the two largest regions, doubled, measured at 15 % se) at 10 % noise.

    What they cut varies much from world to world, so five times as many worlds are looked at too.
    """
    without, with_six = [], []
    for seed in range(5 * worlds):
        world = simulate_world(seed, noise=0.10)
        best, rng = best_value(world), np.random.default_rng(seed)
        region = [f"Region {i + 1}" for i in np.argsort(-world.size)[:2]]
        at = np.flatnonzero(world.cells["region"].isin(region))
        gap = (world.truth.value(2 * world.current) - world.truth.value(world.current))[at]
        rows = world.cells.iloc[at].assign(x0=world.current[at], x1=2 * world.current[at], se=0.15 * gap)
        rows["delta"] = gap * (1 + 0.15 * rng.normal(size=len(at)))
        without.append(regret(world, ours(world)[0], best))
        with_six.append(regret(world, ours(world, pilots=rows)[0], best))
    for count in (worlds, 5 * worlds):
        before, after = 100 * np.mean(without[:count]), 100 * np.mean(with_six[:count])
        print(
            f"\nSix pilots at 10 % noise, {count} worlds: regret {before:.2f} % -> {after:.2f} % "
            f"({1 - after / before:.0%} less)"
        )


def bench_demand(worlds: int) -> None:
    """How often a line whose spend follows unseen demand is flagged, and how often one that does not is."""
    print("\nSpend that follows demand: found in worlds; falsely said of other lines; of lines where nothing is unseen")
    for name, smooth in (("spend in flights", False), ("spend in slow waves", True)):
        hit, false, calm = 0, 0, 0
        for seed in range(worlds):
            flags = []
            for options in ({"unseen_demand": 0.06, "follows": (0,)}, {}):
                world = simulate_world(seed, smooth=smooth, **options)
                flags.append(fit_response(world.spend, world.outcome, draws=20).lines["follows_demand"].to_numpy())
            hit, false, calm = hit + flags[0][0], false + flags[0][1:].sum(), calm + flags[1].sum()
        print(f"{name}: {hit}/{worlds}; {false}/{2 * worlds}; {calm}/{3 * worlds}")


def bench_solver() -> None:
    """Time and value of the exact split against Clarabel on the same instance (where cvxpy is installed)."""
    rng = np.random.default_rng(0)
    print("\nSolver: CPU ms plain, with groups; value gap and time ratio against Clarabel with groups")
    for cells in (18, 500, 5000):
        curves = Curves(rng.lognormal(5, 1, cells), rng.lognormal(2, 1, cells))
        lo = rng.uniform(0, 1, cells)
        hi = lo + rng.uniform(5, 50, cells)
        total = float(lo.sum() + 0.4 * (hi - lo).sum())
        of = rng.integers(0, max(2, cells // 10), cells)
        member = np.array([of == g for g in range(of.max() + 1)])
        base = member @ solve(curves, total, lo, hi).x
        cap = np.where(rng.random(len(base)) < 0.3, np.maximum(0.95 * base, member @ lo), np.inf)
        floor = np.where(rng.random(len(base)) < 0.3, np.minimum(base * 1.02, np.minimum(cap, member @ hi)), 0.0)
        groups = Groups(member, floor, cap)
        plain = _cpu(lambda c=curves, t=total, a=lo, b=hi: solve(c, t, a, b))
        grouped = _cpu(lambda c=curves, t=total, a=lo, b=hi, g=groups: solve(c, t, a, b, g))
        found = solve(curves, total, lo, hi, groups)
        theirs = _clarabel(curves, total, lo, hi, groups)
        said = "cvxpy is not installed"
        if theirs:
            value, seconds = theirs
            gap = 1 - float(curves.value(found.x).sum()) / value
            said = f"gap {gap:+.1e}, Clarabel {1e3 * seconds:.0f} ms, x{seconds / grouped:.0f}"
        print(f"{cells} cells: {1e3 * plain:.2f}, {1e3 * grouped:.2f} ms, KKT spread {found.kkt_spread:.0e}; {said}")


def _cpu(call, times: int = 5) -> float:
    call()
    began = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - began) / times


def _clarabel(curves, total, lo, hi, groups):
    try:
        import cvxpy as cp
    except ImportError:
        return None
    x = cp.Variable(len(lo))
    value = float(curves.a.sum()) - cp.sum(cp.multiply(curves.a * curves.k, cp.inv_pos(x + curves.k)))
    capped = np.isfinite(groups.cap)
    rules = [x >= lo, x <= hi, cp.sum(x) == total, groups.member.astype(float) @ x >= groups.floor]
    rules.append(groups.member[capped].astype(float) @ x <= groups.cap[capped])
    problem = cp.Problem(cp.Maximize(value), rules)
    began = time.process_time()
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    seconds = time.process_time() - began
    return float(curves.value(np.clip(x.value, 0, None)).sum()), seconds


def bench_fit() -> None:
    """Time and memory of the fit alone and of fit + 200 draws + allocation, small and large."""
    from planning.budget.fit import fit_form
    from planning.budget.panel import build_panel
    from planning.budget.response import _no_rows, scaled

    print("\nFit: CPU s of one form; fit + 200 draws + allocation; peak memory of this process so far")
    for regions, periods, lines in ((6, 104, 3), (50, 104, 5), (200, 156, 5)):
        world = simulate_world(1, regions=regions, periods=periods, lines=lines)
        panel = build_panel(world.spend, world.outcome)
        data, _ = scaled(panel, np.arange(lines), _no_rows())
        alone = _cpu(lambda d=data: fit_form(d, "hill"), 3 if regions < 100 else 1)
        *_, whole = ours(world, draws=200)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{regions * lines} cells x {periods}: {alone:.3f} s; {whole:.2f} s; {peak:.0f} MB")


def bench_meridian() -> None:
    """A stranger's simulator, end to end: contributions by channel with intervals."""
    if not DATA.exists():
        print(f"\nMeridian geo table: {DATA} is absent, skipped")
        return
    geo = pd.read_csv(DATA, index_col=0)
    channels = [c for c in geo.columns if c.endswith("_spend")]
    spend = geo.melt(["geo", "time"], channels, "line", "amount")
    spend["line"] = spend["line"].str.removesuffix("_spend")
    outcome = geo.assign(outcome=geo["conversions"] * geo["revenue_per_conversion"])
    controls = ["competitor_sales_control", "sentiment_score_control", "Promo", "Organic_channel0_impression"]
    outcome = outcome[["geo", "time", "outcome", *controls]].rename(columns={"geo": "region", "time": "period"})
    began = time.process_time()
    response = fit_response(spend.rename(columns={"geo": "region", "time": "period"}), outcome, draws=200)
    result = allocate(response)
    spent = time.process_time() - began
    print(
        f"\nMeridian geo table, 200 cells x 156 weeks: {spent:.1f} CPU s; noise {response.noise:.0%} of a geo's sales"
    )
    now = response.cells["current"].to_numpy()
    reply = response.draws.response(now)
    for line, part in response.cells.groupby("line"):
        total = reply[:, part["draw"]].sum(axis=1) / part["current"].sum()
        lo, hi = np.quantile(total, [0.05, 0.95])
        verdicts = result.table.loc[part.index, "verdict"].value_counts().to_dict()
        print(f"  {line}: return per unit {total.mean():.2f} (90 % {lo:.2f} to {hi:.2f}); verdicts {verdicts}")
    gain = result.summary
    print(f"  gain within 30 %: chance {gain['gain_probability']:.2f}; expected regret {gain['expected_regret']:.1%}")


def bench_peers(worlds: int, folder: Path | None) -> None:
    """PyMC-Marketing (hierarchical, nutpie, its own optimiser) on the first worlds of the first setting."""
    if folder is None:
        print("\nPyMC-Marketing: not asked for; --peers DIR installs it into DIR and runs it (see peers_budget.py)")
        return
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "pymc-marketing", "nutpie", "pyarrow"], check=True)
    print("\nPyMC-Marketing beside ours, Hill, 5 % noise: regret %; CPU s fit + split; peak MB")
    for seed in range(worlds):
        world, kept = simulate_world(seed), folder / f"split-{seed}.json"
        if not kept.exists():
            tables = [folder / f"{name}-{seed}.parquet" for name in ("spend", "outcome")]
            world.spend.to_parquet(tables[0])
            world.outcome.to_parquet(tables[1])
            script = Path(__file__).with_name("peers_budget.py")
            subprocess.run([python, "-W", "ignore", script, *tables, kept], check=True)
        theirs = json.loads(kept.read_text("utf-8"))
        best = best_value(world)
        split = world.cells.merge(pd.DataFrame(theirs["split"]), on=["region", "line"])["amount"].to_numpy()
        x, _response, seconds = ours(world, draws=200)
        print(
            f"world {seed}: PyMC-Marketing {100 * regret(world, split, best):.2f} ({theirs['fit_cpu']:.0f} + "
            f"{theirs['split_cpu']:.0f} s, {theirs['memory_mb']:.0f} MB); ours {100 * regret(world, x, best):.2f} "
            f"({seconds:.2f} s); last year {100 * regret(world, world.current, best):.2f}"
        )


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=20)
    parser.add_argument("--only", choices=["regret", "pilots", "demand", "solver", "fit", "meridian", "peers"])
    parser.add_argument("--peers", type=Path, metavar="DIR", help="where PyMC-Marketing is, or is to be, installed")
    asked = parser.parse_args()
    print(f"{dt.date.today()}  {' '.join(['python', *sys.argv])}  (CPU seconds, one thread)")
    parts = {
        "fit": bench_fit, "solver": bench_solver, "regret": lambda: bench_regret(asked.worlds),
        "pilots": lambda: bench_pilots(asked.worlds), "demand": lambda: bench_demand(asked.worlds),
        "meridian": bench_meridian, "peers": lambda: bench_peers(min(asked.worlds, 3), asked.peers),
    }  # fmt: skip
    for name, part in parts.items():
        if asked.only in (None, name):
            part()


if __name__ == "__main__":
    main()
