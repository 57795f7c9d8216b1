"""Family weights against their peers on known truth, and on public data. Run by hand: `make bench-deals`.

    python benchmarks/deals.py                    all parts, 40 worlds a setting (about six minutes)
    python benchmarks/deals.py --worlds 8         a quick look
    python benchmarks/deals.py --only accuracy    one part: accuracy, speed, data, levers, people, practices, wide
    python benchmarks/deals.py --peer-python P    LightGBM + SHAP and one-hot logistic, in a venv of their own (P)

Error is half the sum of |share - truth| over the five families; 800 deals are tried in three times as many worlds, for
one world says little there. "held" is how often a nominal 90 % interval held the
truth, over families and worlds. Worlds come from `planning.deals.simulate`. Peers: LightGBM with TreeSHAP summed by
family (variance of the sums) and a one-hot logistic regression, both with a 20-fold percentile bootstrap, as such
notebooks do it; they see the same deals as ours in the same run.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NO_MARKET = {"market": 0.0, "product": 0.35, "price": 0.20, "skill": 0.30, "customer": 0.15}
SETTINGS = [
    ("4,000 deals", 4000, 1, {}), ("800 deals", 800, 3, {}), ("market weighs nothing", 4000, 1, {"weights": NO_MARKET}),
    ("200 people", 4000, 1, {"people": 200}), ("unrecorded cause 0.7", 4000, 1, {"confounder": 0.7}),
]  # fmt: skip
PEERS = dict.fromkeys(("4,000 deals", "800 deals"), ("LightGBM + SHAP", "one-hot logistic"))
PEERS["200 people"] = ("one-hot logistic",)
# Filled in for 90 % of the leads won and 59 % of those lost, so perhaps asked on the phone; blank is a value of it.
OCCUPATION = "What is your current occupation"
PEER_WORLDS = 4  # LightGBM with TreeSHAP and its bootstrap take a minute of CPU a world


def table_of(world) -> dict:
    """Return the families table of a simulated world."""
    fields = {name: {"fields": members} for name, members in world.families.items()}
    return fields | {"known_at": {name: "creation" for members in world.families.values() for name in members}}


def weigh(world, seed: int = 0):
    """Return our weights by family and the CPU seconds they took."""
    from planning.deals import family_weights

    began = time.process_time()
    result = family_weights(world.deals, families=table_of(world), seed=seed)
    return result, result.weights.set_index("family"), time.process_time() - began


def score(tables: list[pd.DataFrame], truths: list[dict]) -> dict:
    """Return error, coverage (all, worst family), band coverage and the bias of skill over worlds."""
    errors, held, banded, skill = [], [], [], []
    for table, truth in zip(tables, truths, strict=True):
        t = table.index.map(truth).to_numpy(float)
        errors.append(np.abs(table["share"] - t).sum() / 2)
        held.append(
            pd.Series((table["lo90"].to_numpy() <= t + 1e-9) & (t <= table["hi90"].to_numpy()), index=table.index)
        )
        if "band_lo" in table:
            banded.append(((table["band_lo"].to_numpy() <= t) & (t <= table["band_hi"].to_numpy())).mean())
        skill.append(table.loc["skill", "share"] - truth["skill"])
    held = pd.DataFrame(held)
    return {
        "error": np.mean(errors), "held": held.to_numpy().mean(), "worst family": held.mean().min(),
        "band": np.mean(banded) if banded else np.nan, "skill bias": np.mean(skill),
    }  # fmt: skip


def accuracy(worlds: int, peer: str | None) -> None:
    """Print error and coverage of ours over settings; of the peers on the first worlds where a venv is named."""
    from planning.deals.simulate import simulate_deals

    for title, n, times, options in SETTINGS:
        made = [simulate_deals(n, seed=1000 + number, **options) for number in range(times * worlds)]
        found = [weigh(world, number) for number, world in enumerate(made)]
        truths = [world.shares for world in made]
        seconds = np.mean([cpu for _, _, cpu in found])
        unheld = {"held": np.nan, "worst family": np.nan}
        known, best = (score([knowing_the_shapes(w, p) for w in made], truths) | unheld for p in (False, True))
        rows = [
            {"method": "hierarchical, full posterior", "worlds": len(made)}
            | score([table for _, table, _ in found], truths) | {"cpu s": seconds},
            {"method": "knows each shape, fits 5 numbers", "worlds": len(made)} | known,
            {"method": "the same, read under our prior", "worlds": len(made)} | best,
        ]  # fmt: skip
        for method in PEERS.get(title, ()) if peer else ():
            few = min(worlds, PEER_WORLDS if method.startswith("Light") else 3 * PEER_WORLDS)
            got = [ask_peer(peer, world, method) for world in made[:few]]
            met = score([table for table, _ in got], truths[:few])
            rows.append({"method": method, "worlds": few} | met | {"cpu s": np.mean([cpu for _, cpu in got])})
        print(f"{title}\n{pd.DataFrame(rows).round(3).to_string(index=False)}", flush=True)


def knowing_the_shapes(world, prior: bool) -> pd.DataFrame:
    """Return the shares found when the exact shape of every family's effect is told, and who is how able, so that only
    five strengths are left to learn: what no method can do from the fields alone. By maximum likelihood, noise taken
    off, or read under our prior: the least error to hope for."""
    from scipy import special

    from planning.deals.posterior import even_handed

    x = (world.parts / world.parts.std(ddof=0).replace(0, 1)).to_numpy()
    x, y = np.column_stack([np.ones(len(x)), x]), (world.deals["outcome"] == "won").to_numpy(float)
    b = np.zeros(x.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-x @ b))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-9 * np.eye(len(b))
        b = b + np.linalg.solve(hessian, x.T @ (y - p))
    there = world.parts.std(ddof=0).to_numpy() > 0
    covariance = np.linalg.inv(hessian)[1:, 1:]
    share = np.where(there, np.maximum(b[1:] ** 2 - np.diag(covariance), 0), 0.0)
    if prior:
        root = np.linalg.cholesky(covariance[np.ix_(there, there)])
        drawn = b[1:][there] + np.random.default_rng(0).standard_normal((4000, there.sum())) @ root.T
        parts = np.maximum(drawn, 1e-3) ** 2
        parts /= parts.sum(axis=1, keepdims=True)
        share[there] = special.softmax(even_handed(parts)) @ parts
    return pd.DataFrame({"share": share / share.sum(), "lo90": np.nan, "hi90": np.nan}, index=world.parts.columns)


def ask_peer(python: str, world, method: str) -> tuple[pd.DataFrame, float]:
    """Run this file as the peer in its own environment; return its shares, intervals and CPU seconds."""
    with tempfile.TemporaryDirectory() as folder:
        world.deals.drop(columns=["deal_id", "created_date"]).to_parquet(f"{folder}/deals.parquet")
        Path(folder, "families.json").write_text(json.dumps(world.families))
        command = [python, __file__, "--as-peer", folder, "--method", method]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return pd.DataFrame(answer["table"]).set_index("family"), answer["cpu"]


def as_peer(folder: str, method: str) -> None:
    """Weigh the families as the peer does: point estimate and percentile bootstrap, printed as JSON."""
    deals = pd.read_parquet(f"{folder}/deals.parquet")
    families = json.loads(Path(folder, "families.json").read_text())
    y = (deals.pop("outcome") == "won").to_numpy(int)
    shares = shap_shares if method.startswith("LightGBM") else one_hot_shares
    began, rng = time.process_time(), np.random.default_rng(0)
    point = shares(deals, y, families)
    picks = [rng.integers(0, len(y), len(y)) for _ in range(20)]
    boots = np.array([shares(deals.iloc[pick], y[pick], families) for pick in picks])
    low, high = np.quantile(boots, [0.05, 0.95], axis=0)
    rows = [
        {"family": f, "share": p, "lo90": lo, "hi90": hi}
        for f, p, lo, hi in zip(families, point, low, high, strict=True)
    ]
    print(json.dumps({"table": rows, "cpu": time.process_time() - began}))


def shap_shares(deals: pd.DataFrame, y: np.ndarray, families: dict) -> np.ndarray:
    """Return the share of variance of TreeSHAP values summed by family, gradient boosting on label-coded classes."""
    import lightgbm
    import shap

    coded = deals.apply(lambda c: c if c.dtype.kind in "fi" else pd.Series(pd.factorize(c)[0], index=c.index))
    model = lightgbm.LGBMClassifier(
        n_estimators=300, learning_rate=0.05, num_leaves=15, verbose=-1, n_jobs=1, random_state=0
    )
    model.fit(coded, y)
    values = np.asarray(shap.TreeExplainer(model).shap_values(coded))
    values = (
        values[..., 1] if values.ndim == 3 and values.shape[-1] == 2 else values[-1] if values.ndim == 3 else values
    )
    sums = np.stack([values[:, [list(coded).index(f) for f in members]].sum(axis=1) for members in families.values()])
    return sums.var(axis=1) / sums.var(axis=1).sum()


def one_hot_shares(deals: pd.DataFrame, y: np.ndarray, families: dict) -> np.ndarray:
    """Return the share of variance of a one-hot logistic regression's terms summed by family."""
    from sklearn.linear_model import LogisticRegression

    wide = pd.get_dummies(deals, dtype=float)
    scaled = (wide - wide.mean()) / wide.std(ddof=0).replace(0, 1)
    model = LogisticRegression(C=1.0, max_iter=500).fit(scaled.to_numpy(), y)
    terms = scaled.to_numpy() * model.coef_[0]
    of = {f: [i for i, c in enumerate(wide) if c == f or c.startswith(f + "_")] for fs in families.values() for f in fs}
    sums = np.stack([terms[:, sum((of[f] for f in members), [])].sum(axis=1) for members in families.values()])
    return sums.var(axis=1) / sums.var(axis=1).sum()


def wide_world(n: int, columns: int = 50):
    """Return a world filled up with uninformative columns to `columns` fields, and its families table."""
    from planning.deals.simulate import simulate_deals

    world, rng = simulate_deals(n, seed=5), np.random.default_rng(0)
    families = {name: list(members) for name, members in world.families.items()}
    extra = {}
    for number in range(columns - sum(map(len, families.values()))):
        families[list(families)[number % 5]].append(f"x{number}")
        codes = rng.integers(0, 12, n).astype(str)
        extra[f"x{number}"] = np.char.add("c", codes) if number % 5 == 4 else rng.standard_normal(n).astype("float32")
    deals = pd.concat([world.deals.drop(columns="created_date"), pd.DataFrame(extra)], axis=1)
    table = {name: {"fields": members} for name, members in families.items()}
    return deals, table | {"known_at": {name: "creation" for members in families.values() for name in members}}


def speed(large: bool) -> None:
    """Print CPU seconds and memory by size; the million only where asked for."""
    from planning.deals import deal_contributions, family_weights

    for n in (10_000, 1_000_000) if large else (10_000,):
        deals, table = wide_world(n)
        began = time.process_time()
        result = family_weights(deals, families=table)
        middle = time.process_time()
        deal_contributions(result)
        end = time.process_time()
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"{n:,} deals x 50 fields: weights and calibration {middle - began:.1f} s CPU, contributions "
              f"{end - middle:.3f} s, peak memory so far {memory:.2f} GB")  # fmt: skip


def data() -> None:
    """Print what comes of the public sets: Maven, IBM durations and X Education leaks refused, grades kept."""
    from planning.deals import family_weights
    from planning.deals.drafting import draft
    from planning.deals.grading import grade_leads

    sets = [("Maven", "deals/maven_crm/sales_pipeline.csv", "deal_stage", "Won"),
            ("IBM", "deals/ibm_win_loss.parquet", "Opportunity Result", "Won"),
            ("X Education", "leads/x_education_leads.csv", "Converted", "1")]  # fmt: skip
    for title, path, outcome, won in sets:
        if not (DATA / path).exists():
            print(f"{title}: skipped, {path} is not here")
            continue
        frame = pd.read_parquet(DATA / path) if path.endswith("parquet") else pd.read_csv(DATA / path)
        began = time.process_time()
        result = family_weights(
            frame, families=draft(frame, outcome=outcome, won=won).families, outcome=outcome, won=won
        )
        seconds = time.process_time() - began
        s = result.summary
        print(
            f"{title}: n {s['n']:,}, refused {s['refused']}, "
            f"AUC {s['auc']:.3f} [{s['auc_lo']:.3f}, {s['auc_hi']:.3f}], "
            f"{seconds:.1f} s"
        )
        print("   reasons:", s["reasons"] or "-", "\n   refused fields:", ", ".join(s["refused_fields"]))
        print(
            "   table findings:",
            ", ".join(sorted(set(result.findings["rule"]) & {"truncation", "round_amounts", "repeated_rows"})),
        )
        if title == "X Education":
            said = frame.assign(**{OCCUPATION: frame[OCCUPATION].fillna("not said")})
            for leads, more in ((frame, ()), (said, (OCCUPATION,))):
                table = lead_families(*more)
                graded = grade_leads(leads, families=table, outcome=outcome, won=won, order="Lead Number")
                print("   grades", f"with {OCCUPATION}, which the audit refuses" if more else "of first contact")
                print(graded.grades.round(3).to_string(index=False))
                print("  ", {k: round(v, 3) for k, v in graded.scores.items()})


def lead_families(*more: str) -> dict:
    """Return the fields of X Education known when a lead comes in or browses, before anybody calls, and `more`."""
    fields = {
        "channel": ["Lead Origin", "Lead Source", "How did you hear about X Education"],
        "interest": ["TotalVisits", "Total Time Spent on Website", "Page Views Per Visit", "Specialization"],
        "customer": ["City", "Country", "Do Not Email", "Do Not Call", *more],
    }
    table = {name: {"fields": members} for name, members in fields.items()}
    return table | {"known_at": {name: "creation" for members in fields.values() for name in members}}


def levers(worlds: int) -> None:
    """Print the stated chance of a won deal against the truth: mean, and rank correlation over lost deals."""
    from planning.deals.levers import counterfactual
    from planning.deals.simulate import simulate_deals

    stated, true, ranks = [], [], []
    for number in range(worlds):
        world = simulate_deals(4000, seed=3000 + number)
        result, _, _ = weigh(world)
        frame = counterfactual(result, {"price_gap": "down"}).deals.set_index("deal_id")
        deals = world.deals.set_index("deal_id").loc[frame.index]
        moved = world.price_log_odds(frame["moved_to"].to_numpy()) - world.price_log_odds(deals["price_gap"].to_numpy())
        before = pd.Series(world.win_probability, index=world.deals["deal_id"]).loc[frame.index].to_numpy()
        after = 1 / (1 + np.exp(-(np.log(before / (1 - before)) + moved)))
        truth = np.clip((after - before) / (1 - before), 0, 1)
        stated.append(frame["chance"].mean())
        true.append(truth.mean())
        ranks.append(pd.Series(frame["chance"].to_numpy()).corr(pd.Series(truth), method="spearman"))
    print(
        f"P(would have won | lost), price: stated {np.mean(stated):.3f}, true {np.mean(true):.3f}, "
        f"rank correlation {np.mean(ranks):.2f}"
    )


def people(worlds: int) -> None:
    """Print how many of the true best fifth are found, by raw win rate and adjusted, and how right "surely best" is."""
    from planning.deals.casemix import performers
    from planning.deals.simulate import simulate_deals

    raw_hits, hits, sure, right = [], [], 0, 0
    for number in range(worlds):
        world = simulate_deals(4000, seed=5000 + number, people=60, sorting=-0.5)
        result, _, _ = weigh(world)
        owner = world.deals.set_index("deal_id")["owner_id"]
        table = performers(result, owner).set_index("person")
        talent = world.parts["skill"].groupby(world.deals["owner_id"]).mean()
        best = set(talent.nlargest(12).index)
        raw_hits.append(len(best & set((table["wins"] / table["deals"]).nlargest(12).index)) / 12)
        hits.append(len(best & set(table["p_top"].nlargest(12).index)) / 12)
        named = set(table.index[table["verdict"] == "top"])
        sure, right = sure + len(named), right + len(named & best)
    print(f"best fifth found: raw win rate {np.mean(raw_hits):.2f}, adjusted {np.mean(hits):.2f}; named as sure "
          f"{sure / worlds:.1f} a world, {right / max(sure, 1):.2f} right")  # fmt: skip


REAL, EASY, HABIT, NOISE = 4, 4, 2, 5
STRENGTH = 0.25


def mined_world(seed: int):
    """Return a world with 15 practices in it (4 help, 4 are done in easy deals, 2 are habits of able people, 5 are
    noise), its deals with the outcome drawn again, and which practices help."""
    from planning.deals.simulate import simulate_deals

    world, rng = simulate_deals(4000, seed=seed, people=60), np.random.default_rng([seed, 1])
    deals, n = world.deals.copy(), len(world.deals)
    easy = world.parts.drop(columns="skill").sum(axis=1).to_numpy()
    able = world.parts["skill"].groupby(deals["owner_id"]).transform("mean").to_numpy()
    unit = lambda x: (x - x.mean()) / x.std()  # noqa: E731
    names = [f"practice_{number}" for number in range(REAL + EASY + HABIT + NOISE)]
    for number, name in enumerate(names):
        base = rng.standard_normal(n)
        if REAL <= number < REAL + EASY:
            base = base + 0.8 * unit(easy)
        elif REAL + EASY <= number < REAL + EASY + HABIT:
            base = base + 0.8 * unit(able)
        deals[name] = unit(base).round(3)
    eta = np.log(world.win_probability / (1 - world.win_probability)) + STRENGTH * deals[names[:REAL]].sum(axis=1)
    deals["outcome"] = np.where(rng.random(n) < 1 / (1 + np.exp(-eta)), "won", "lost")
    return world, deals, names


def practices_found(worlds: int) -> None:
    """Print how many real practices are found and how many of those named are false: ours, best against the rest, and
    won against lost deals."""
    from scipy import stats

    from planning.deals import family_weights, practices

    tally = {title: np.zeros(3) for title in ("inside a person's deals", "best against rest", "won against lost")}
    off = []
    for number in range(worlds):
        world, deals, names = mined_world(7000 + number)
        result = family_weights(deals.drop(columns=names), families=table_of(world), refits=10)
        result.prepared.columns.update(practice_columns(deals, names))
        owner = deals.set_index("deal_id")["owner_id"]
        found = practices(result, dict.fromkeys(names, "up"), owner).set_index("practice")
        off += list((found.loc[names[:REAL], "effect"] - STRENGTH).abs())
        won = (deals["outcome"] == "won").to_numpy()
        rate = deals.assign(won=won).groupby("owner_id")["won"].mean()
        top = deals["owner_id"].isin(rate.nlargest(len(rate) // 5).index).to_numpy()
        named = {
            "inside a person's deals": set(found.index[found["verdict"] == "differs"]),
            "best against rest": {p for p in names if stats.ttest_ind(deals.loc[top, p], deals.loc[~top, p])[1] < 0.05},
            "won against lost": {p for p in names if stats.ttest_ind(deals.loc[won, p], deals.loc[~won, p])[1] < 0.05},
        }
        for title, those in named.items():
            real = len(those & set(names[:REAL]))
            tally[title] += [real, len(those), (len(those) - real) / max(len(those), 1)]
    for title, (hits, count, false) in tally.items():
        print(f"{title}: finds {hits / (REAL * worlds):.2f} of the real practices, false among those named "
              f"{false / worlds:.3f} ({count / worlds:.1f} named a world)")  # fmt: skip
    print(f"effect off by {np.mean(off):.3f} log-odds on average")


def practice_columns(deals: pd.DataFrame, names: list[str]) -> dict:
    """Return practices as the audit reads columns, for a result that was made without them."""
    from planning.deals.columns import read_column

    return {name: read_column(deals[name]) for name in names}


def wide_class() -> None:
    """Print what a class of 5,000 levels costs among 10,000 and 100,000 deals."""
    from planning.deals import family_weights

    for n in (10_000, 100_000):
        deals, table = wide_world(n, 15)
        deals["account_id"] = np.char.add("A", np.random.default_rng(1).integers(0, 5000, n).astype(str))
        table["customer"]["fields"] = [*table["customer"]["fields"], "account_id"]
        table["known_at"] |= {"account_id": "creation"}
        began = time.process_time()
        result = family_weights(deals, families=table)
        took = time.process_time() - began
        print(f"{n:,} deals with a class of 5,000 levels: {took:.1f} s CPU, refused {result.refused}")


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--only", default="")
    parser.add_argument("--peer-python", default=os.environ.get("PEER_PYTHON"))
    parser.add_argument("--large", action="store_true", help="also a million deals")
    parser.add_argument("--as-peer", help=argparse.SUPPRESS)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        as_peer(options.as_peer, options.method)
        return
    print(f"{dt.date.today()}  python benchmarks/deals.py {' '.join(sys.argv[1:])}")
    parts = {
        "accuracy": lambda: accuracy(options.worlds, options.peer_python), "speed": lambda: speed(options.large),
        "data": data, "levers": lambda: levers(min(options.worlds, 10)),
        "people": lambda: people(min(options.worlds, 20)),
        "practices": lambda: practices_found(min(options.worlds, 40)), "wide": wide_class,
    }  # fmt: skip
    for name, part in parts.items():
        if not options.only or options.only == name:
            print(f"\n{name}")
            part()


if __name__ == "__main__":
    main()
