"""Annual targets beside their baselines, in one run: `make bench-targets`.

Reliability of stated chances, the in-year Brier score, quotas, judgement, rounding, re-planning, Excel and the whole
command, each with the figure asked for and the baseline measured in the same run. CPU time, one thread.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from scipy import special

from planning.reports.plan_workbook import read_workbook, writer
from planning.targets import merge, versions
from planning.targets.adjustments import learn_weight
from planning.targets.annual import plan_year
from planning.targets.history import read_panel
from planning.targets.monthly import monthly
from planning.targets.outlook import outlook
from planning.targets.policy import make_policy
from planning.targets.progress import condition
from planning.targets.reliability import NOMINAL, reliability
from planning.targets.replan import Event, replan
from planning.targets.rounding import round_table
from planning.targets.split import split
from planning.targets.year import YearLaw

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MONTHS = (0, 1, 3, 6, 9, 11)
ASKED = {0: 0.225, 1: 0.165, 3: 0.145, 6: 0.105, 9: 0.058}


def say(name: str, got: object, asked: object, baseline: object = "") -> None:
    """Prints one line of the table."""
    print(f"{name:<58} {got!s:<44} {asked!s:<22} {baseline}")


def retail():
    """Returns the panel of 133 complete series of Australian retail, or None without the reference data."""
    path = DATA / "sales" / "aus_retail.parquet"
    if not path.exists():
        return None
    table = pd.read_parquet(path).rename(columns={"Month": "ds", "Turnover": "amount"})
    table = table[table["ds"] >= "1983-01-01"]
    table = table[table.groupby(["State", "Industry"])["ds"].transform("count") == 432]
    return read_panel(table, ["State", "Industry"])


def plain_method(panel, years):
    """The guide's plain method: growth = half own 6-year mean + half cross-section, whole years' errors, t law."""
    totals = np.array([panel.year_total(pd.Timestamp(y, 1, 1)) for y in range(1983, years[-1] + 1)]).T
    log = np.log(totals)
    growth = np.diff(log, axis=1)
    rows, wape = [], []
    for year in years:
        k = year - 1983
        errors, ahead = [], None
        for at in range(2, k + 1):
            span = min(6, at - 1)
            own = growth[:, at - 1 - span : at - 1].mean(axis=1)
            mean = totals[:, at - 1] * np.exp(0.5 * own + 0.5 * own.mean())
            if at < k:
                errors.append(totals[:, at] / mean - 1)
            ahead = mean
        scale = ahead * np.sqrt(np.mean(np.square(errors), axis=0))
        rows.append(special.stdtr(max(4.0, float(len(errors))), (totals[:, k] - ahead) / scale))
        wape.append([np.abs(totals[:, k] - ahead).sum(), totals[:, k].sum()])
    return np.concatenate(rows), np.sum(wape, axis=0)


def shares(positions: np.ndarray) -> str:
    """Returns the observed share below each nominal quantile."""
    return " ".join(f"{(positions < q).mean():.3f}"[1:] for q in NOMINAL)


def bench_reliability(panel) -> None:
    """How often stated chances held at the start of 25 years."""
    start = time.process_time()
    replay = reliability(panel, years=25)
    cpu = time.process_time() - start
    years = sorted(replay.positions["year"].unique())
    plain, wape = plain_method(panel, years)
    say("nominal .10 .25 .40 .50 .60 .75 .90", "share below", "", "")
    cells = replay.positions[replay.positions["level"] == "cell"]["position"].to_numpy()
    worst = [max(abs((u < q).mean() - q) for q in NOMINAL) for u in (cells, plain)]
    say("  cells", shares(cells), "each within .05", f"plain method {shares(plain)}")
    say("  cells, largest deviation", f"{worst[0]:.3f}", "< .042 (guide)", f"plain {worst[1]:.3f}")
    for level in ("State", "total"):
        say(
            f"  {level}",
            shares(replay.positions[replay.positions["level"] == level]["position"].to_numpy()),
            "State within .04",
        )
    for row in replay.below().to_dict("records"):
        asked = "80 % interval .75-.85" if row["level"] != "total" else "25 years only"
        say(
            f"  {row['level']}: 80 % interval holds, WAPE",
            f"{row['within_80']:.3f}, {row['wape']:.2%}",
            asked,
            f"plain WAPE {wape[0] / wape[1]:.2%}" if row["level"] == "cell" else "",
        )
    sums = replay.sums.groupby("chance")[["joint", "observed", "independent"]].mean().sort_index(ascending=False)
    for chance, row in sums.iterrows():
        say(
            f"  P(sum), every cell at {chance:.0%}",
            f"joint {row['joint']:.2f}, observed {row['observed']:.2f}",
            "within .10",
            f"independent {row['independent']:.2f}",
        )
    say("  25 replays of 133 cells, CPU", f"{cpu:.2f} s", "")


def bench_in_year(panel) -> None:
    """Brier score of P(last year + 7 % is reached), by months known."""
    scores = {m: [] for m in MONTHS}
    hard, hits = {m: [] for m in MONTHS}, []
    for year in range(1994, 2019):
        start = pd.Timestamp(year, 1, 1)
        joint = outlook(panel.until(start - pd.DateOffset(months=1)), 12)
        inside = (panel.months >= start) & (panel.months < start + pd.DateOffset(years=1))
        before = (panel.months >= start - pd.DateOffset(years=1)) & (panel.months < start)
        actual, last = panel.known[:, inside], panel.known[:, before]
        target = 1.07 * last.sum(axis=1)
        hit = (actual.sum(axis=1) >= target).astype(float)
        hits.append(hit)
        for m in MONTHS:
            known = condition(joint, actual[:, :m])
            law = YearLaw.of(known, known.periods[0], known.periods[-1])
            scores[m].append((law.probability(target - actual[:, :m].sum(axis=1)), hit))
            pace = actual[:, :m].sum(axis=1) / last[:, :m].sum(axis=1) if m else np.ones(len(hit))
            call = actual[:, :m].sum(axis=1) + pace * last[:, m:].sum(axis=1) >= target
            hard[m].append((call - hit) ** 2)
    base = float(np.concatenate(hits).mean())
    say(f"in-year Brier, base rate {base:.2f}", "", "", f"climatology {base * (1 - base):.3f}")
    for m in MONTHS:
        p, h = (np.concatenate(part) for part in zip(*scores[m]))
        bins = np.clip((p * 10).astype(int), 0, 9)
        ece = sum(abs(p[bins == b].mean() - h[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins))
        say(
            f"  {m} months known",
            f"{np.mean((p - h) ** 2):.3f}, ECE {ece:.3f}",
            f"<= {ASKED.get(m, '-')}, ECE <= .06",
            f"hard run-rate call {np.concatenate(hard[m]).mean():.3f}",
        )


def bench_quotas() -> None:
    """Spread of the true chance over 2,000 simulated people, by how well territories are known."""
    rng = np.random.default_rng(7)
    n, spread = 2000, 0.30
    size = rng.lognormal(0, 0.6, n) * 1e6
    last = size * np.exp(rng.normal(0, 0.25, n))
    hires = rng.random(n) < 0.15
    last[hires] *= 0.4

    def chance(quota):
        return special.ndtr((size - quota) / (spread * size))

    def correlation(x, y):
        return float(np.corrcoef(x, y)[0, 1]) if x.std() > 1e-9 else 0.0

    def fair(error):
        seen = size * np.exp(rng.normal(0, error, n))
        total = size.sum() * 1.0
        return chance(split(seen, spread * seen, total, [], np.zeros(n), np.full(n, np.inf)))

    base = chance(last * size.sum() / last.sum())
    say(
        "quotas of 2,000 people: sd of P",
        "",
        "",
        f"last year x growth {base.std():.3f}, hires {base[hires].mean():.2f} of {base[~hires].mean():.2f}",
    )
    for error in (0.0, 0.05, 0.10, 0.15):
        p = fair(error)
        hire = abs(p[hires].mean() - p[~hires].mean())
        say(
            f"  estimate error {error:.0%}",
            f"{p.std():.3f}, corr(size) {correlation(p, size):+.2f}, hires {hire:.3f} off",
            "<= .16 at 10 %; .10; .05" if error == 0.10 else "",
        )


def bench_judgement() -> None:
    """Error taken away by simulated planners' adjustments: as made, at the pooled weight, at a weight a person."""
    raw, pooled, own = [], [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = rng.normal(0, 0.06, 480)
        said = 0.04 + 1.6 * (0.6 * truth + rng.normal(0, 0.05, 480))
        actual, who = truth + rng.normal(0, 0.04, 480), rng.integers(0, 12, 480)
        log = pd.DataFrame({"base": 1.0, "adjusted": 1 + said, "actual": 1 + actual})
        past, new = log.iloc[:80], slice(80, 480)
        error = np.abs(actual[new]).mean()

        def gain(weight, error=error, actual=actual, said=said, new=new):
            return 1 - np.abs(actual[new] - weight * said[new]).mean() / error

        raw.append(gain(1.0))
        pooled.append(gain(learn_weight(past)[0]))
        each = {p: _alone(said[:80][who[:80] == p], actual[:80][who[:80] == p]) for p in range(12)}
        own.append(gain(np.array([each[p] for p in who[new]])))
    say(
        "judgement: error taken away, pooled weight",
        f"{np.mean(pooled):+.1%}, worst {np.min(pooled):+.1%}",
        "> raw; worst >= -1 %",
        f"as made {np.mean(raw):+.1%}, weight a person {np.mean(own):+.1%}",
    )


def _alone(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.clip((x @ y) / (x @ x), 0, 1)) if len(x) else 0.5


def bench_rounding() -> None:
    """CPU of two-way controlled rounding, and how far independent rounding drifts."""
    rng = np.random.default_rng(0)
    for shape, asked in (((1000, 12), "<= 30 ms"), ((40_000, 12), "<= 500 ms")):
        table = rng.gamma(1, 1e5, shape)
        rows = np.rint(table.sum(axis=1)).astype(np.int64)
        table *= (rows / table.sum(axis=1))[:, None]
        start = time.process_time()
        out = round_table(table, rows)
        cpu = 1000 * (time.process_time() - start)
        assert (out.sum(axis=1) == rows).all() and np.abs(out - table).max() < 1
        drift = np.abs(np.rint(table).sum(axis=0) - table.sum(axis=0)).max()
        say(
            f"rounding {shape[0]} x {shape[1]} = {table.size:,} cells",
            f"{cpu:.1f} ms, margins off {0}",
            asked,
            f"each cell alone: margins off {drift:.0f} cents",
        )


def made_history(regions: int, lines: int) -> pd.DataFrame:
    """Returns ten years of monthly sales of regions x lines."""
    rng = np.random.default_rng(3)
    months = pd.date_range("2017-01-01", "2026-12-01", freq="MS")
    parts = []
    for r, c in itertools.product(range(regions), range(lines)):
        level = rng.lognormal(12, 1)
        path = np.exp(
            0.04 * np.arange(len(months)) / 12
            + rng.normal(0, 0.05, len(months))
            + np.repeat(rng.normal(0, 0.05, 10), 12)
        )
        parts.append(
            pd.DataFrame(
                {"ds": months, "region": f"R{r:02d}", "line": f"L{c:02d}", "amount": np.round(level * path, 2)}
            )
        )
    return pd.concat(parts, ignore_index=True)


def bench_command() -> None:
    """The whole `planning targets` on 300 cells x 12 months x 4,000 draws, and the way back from Excel."""
    policy = 'currency = "EUR"\nby = ["region", "line"]\ncapacity = [{ line = "L01", amount = 40_000_000 }]\n'
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made_history(20, 15).to_csv(folder / "h.csv", index=False)
        (folder / "p.toml").write_text(policy)
        words = [
            sys.executable,
            "-c",
            "from planning.cli import main; main()",
            "targets",
            folder / "h.csv",
            "--year",
            "2027",
            "--policy",
            folder / "p.toml",
            "--out",
            folder / "out",
        ]
        env = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        call = [str(word) for word in words]
        subprocess.run(call, check=True, capture_output=True, env=env)  # once for Python's own bytecode
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run(call, check=True, capture_output=True, env=env)
        wall = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        say(
            "planning targets, 300 cells x 12 x 4,000 draws",
            f"CPU {cpu:.2f} s, wall {wall:.2f} s, peak {after.ru_maxrss / 1024:.0f} MB",
            "<= 3 s, <= 600 MB",
        )
    plan = plan_year(made_history(25, 20), make_policy({"currency": "EUR", "by": ["region", "line"]}), year=2027)[0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        version = versions.record(plan)
        versions.save(folder, version, plan.target.adjusted.joint)
        writer(plan, version)(folder / "warm.xlsx")
        start = time.process_time()
        writer(plan, version)(folder / "plan.xlsx")
        out = time.process_time() - start
        start = time.process_time()
        back = merge.merge(read_workbook(folder / "plan.xlsx"), version, lambda _id: version)
        into = time.process_time() - start
        assert back.changes.empty
        say("Excel, 500 cells x 12 = 6,000 inputs: export, import", f"{out:.2f} s, {into:.2f} s", "<= 0.5 s each")
    bench_replan(plan)


def bench_replan(plan) -> None:
    """The reference shock: two fifths off in a quarter of the cells from month 4."""
    law = plan.target.law
    months = (law.profile * law.mean[:, None])[:, :3]
    events = [
        Event("price cut", (("line", line),), pd.Timestamp("2027-04-01"), -0.4, 0.9)
        for line in ("L00", "L01", "L02", "L03", "L04")
    ]
    start = time.process_time()
    result = replan(plan, plan.target.adjusted.joint, events, months)
    cpu = time.process_time() - start
    minor = plan.months["minor"].to_numpy().reshape(len(law.cells), -1)
    kept = all((after[:, :3] == minor[:, :3]).all() and after.sum() == minor.sum() for after in result.plans.values())
    text = ", ".join(f"{m:.0%}: {g:.0%}" for m, g in zip(result.options["move"], result.options["share_of_gain"]))
    say(
        "re-plan: share of the gain by part moved",
        text,
        ">= 70 % at 5 %",
        f"frozen months identical: {kept}; CPU {cpu:.2f} s",
    )


def bench_peer(panel) -> None:
    """The general monthly joint forecast as the annual method, on every third year (it costs about 3 s a year)."""
    starts = [pd.Timestamp(year, 1, 1) for year in range(1995, 2019, 3)]
    for name, make in (("annual outlook", outlook), ("monthly joint forecast", monthly)):
        start = time.process_time()
        replay = reliability(panel, method=make, starts=starts)
        cpu = time.process_time() - start
        cells = replay.positions[replay.positions["level"] == "cell"]["position"].to_numpy()
        row = replay.below().set_index("level").loc["cell"]
        say(f"annual sums by the {name}, 8 years", shares(cells), "", f"WAPE {row['wape']:.2%}, CPU {cpu:.1f} s")


def main() -> None:
    """Runs all benches and prints the table."""
    print(
        f"benchmarks/targets.py, {dt.date.today()}, python {sys.version.split()[0]}, numpy {np.__version__}, 1 thread"
    )
    say("what", "measured", "asked", "baseline in the same run")
    panel = retail()
    if panel is None:
        print("reference data ../shared/data is absent: reliability and in-year figures are left out")
    else:
        bench_reliability(panel)
        bench_in_year(panel)
    bench_quotas()
    bench_judgement()
    bench_rounding()
    bench_command()
    if panel is not None and "--peer" in sys.argv:
        bench_peer(panel)


if __name__ == "__main__":
    main()
