"""The forecast engine against StatsForecast on the reference data. Run by hand: `make bench-forecast`.

    python benchmarks/forecast.py                              ours alone (about a minute)
    python benchmarks/forecast.py --peers /tmp/peers           with StatsForecast from a venv there, made when missing
    python benchmarks/forecast.py --peers DIR --series 300     slow peers on 300 series, ours scored on those too
    python benchmarks/forecast.py --only m3m                   one part, see PARTS

OWA is against the M4 Naive2; hold is the per cent of outcomes inside the interval; MSIS is of the 95 % interval; cpu is
process time a series in milliseconds, one thread, everything included (checks, pool, past origins, intervals, frame).
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from planning.forecast import forecasts  # noqa: E402
from planning.forecast.intermittent import hurdle_quantiles, is_intermittent, quantiles  # noqa: E402
from planning.forecast.panel import Panel  # noqa: E402
from planning.forecast.single import Lent, Options, measure_chunks, spread  # noqa: E402
from planning.forecast.sums import sum_bounds  # noqa: E402

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
PARTS = ("m3m", "m3q", "weekly", "short", "lengths", "sums", "rare", "cases", "start", "scale")
SETS = {"m3m": ("MS", 12, 18), "m3q": ("QS", 4, 8), "weekly": ("W", 52, 13)}
FAST, SLOW = ("SeasonalNaive", "DynamicOptimizedTheta"), ("AutoETS", "AutoCES")
PEER_FREQ = {"MS": "MS", "QS": "QS", "W": "W-SUN"}


def split(which: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the training and test rows of one data set."""
    if which == "weekly":
        frame = pd.read_parquet(DATA / "forecasting" / "m4_weekly.parquet")
    else:
        frame = pd.read_parquet(DATA / "forecasting" / "m3.parquet")
        frame = frame[frame["frequency"] == {"m3m": "monthly", "m3q": "quarterly"}[which]]
    frame = frame.sort_values(["unique_id", "ds"])[["unique_id", "ds", "y", "split"]]
    return frame[frame["split"] == "train"], frame[frame["split"] == "test"]


def naive2(y: np.ndarray, m: int, h: int) -> np.ndarray:
    """Returns the M4 Naive2: the last value, seasonally adjusted where the season passes the 90 % test."""
    index = np.ones(m)
    if m > 1 and len(y) >= 3 * m:
        z = y - y.mean()
        r = [float((z[k:] * z[:-k]).sum() / (z * z).sum()) for k in range(1, m + 1)]
        if abs(r[-1]) > 1.645 * np.sqrt((1 + 2 * sum(value * value for value in r[:-1])) / len(y)):
            kernel = np.r_[0.5, np.ones(m - 1), 0.5] / m if m % 2 == 0 else np.ones(m) / m
            ratio = y[m // 2 : len(y) - m // 2] / np.convolve(y, kernel, "valid")
            places = np.arange(m // 2, len(y) - m // 2) % m
            index = np.array([ratio[places == j].mean() for j in range(m)])
            index = index / index.mean()
    return y[-1] / index[(len(y) - 1) % m] * index[(len(y) + np.arange(h)) % m]


class Scorer:
    """Scores forecasts (n, h) of one data set; m is 1 for M4 weekly, as in the competition."""

    def __init__(self, which: str) -> None:
        self.freq, season, self.h = SETS[which]
        train, test = split(which)
        self.train, self.m = train[["unique_id", "ds", "y"]], 1 if which == "weekly" else season
        self.ids = test["unique_id"].unique()
        self.y = test["y"].to_numpy().reshape(len(self.ids), self.h)
        past = {key: group.to_numpy() for key, group in train.groupby("unique_id")["y"]}
        self.past = [past[key] for key in self.ids]
        self.unit = np.array([np.abs(y[self.m :] - y[: -self.m]).mean() for y in self.past])
        self.base = np.array([naive2(y, self.m, self.h) for y in self.past])

    def errors(self, mean: np.ndarray, rows: np.ndarray) -> tuple[float, float]:
        """Returns sMAPE and MASE."""
        off = np.abs(mean - self.y[rows])
        smape = np.mean(200 * off / (np.abs(mean) + np.abs(self.y[rows])))
        return float(smape), float(np.mean(off.mean(axis=1) / self.unit[rows]))

    def line(self, frame: pd.DataFrame, rows: np.ndarray) -> dict[str, float]:
        """Returns the scores of a forecast table whose rows are in the order of `rows`."""
        shape = (len(rows), self.h)
        mean, y = frame["mean"].to_numpy().reshape(shape), self.y[rows]
        own, naive = self.errors(mean, rows), self.errors(self.base[rows], rows)
        scores = {"OWA": 0.5 * (own[0] / naive[0] + own[1] / naive[1]), "sMAPE": own[0], "MASE": own[1]}
        for level in (80, 95):
            low, high = (frame[f"{side}-{level}"].to_numpy().reshape(shape) for side in ("lo", "hi"))
            scores[f"hold {level}"] = 100 * float(np.mean((y >= low) & (y <= high)))
        over = 2 / 0.05 * (np.maximum(low - y, 0) + np.maximum(y - high, 0))
        scores["MSIS"] = float(np.mean((high - low + over).mean(axis=1) / self.unit[rows]))
        return scores


def peer_python(folder: Path) -> Path:
    """Returns the python of the peers' environment, made with StatsForecast when it is not there."""
    python = folder / "bin" / "python"
    if not python.exists():
        print(f"making an environment for the peers in {folder}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "statsforecast", "pyarrow"], check=True)
    return python


def peers(which: str, scorer: Scorer, python: Path, series: int, arima: int) -> pd.DataFrame:
    """Returns the peers' forecasts of one data set."""
    some = f":{series}" if series else ""
    season = str(SETS[which][1])
    names = [*FAST, *(f"{name}{some}" for name in SLOW), *([f"AutoARIMA:{arima}"] if arima else [])]
    with tempfile.TemporaryDirectory() as folder:
        source, out = f"{folder}/history.parquet", f"{folder}/out.parquet"
        scorer.train.to_parquet(source, index=False)
        script = Path(__file__).with_name("peers_forecast.py")
        call = [str(python), str(script), source, out, PEER_FREQ[scorer.freq], season, str(scorer.h), *names]
        subprocess.run(call, check=True)
        return pd.read_parquet(out)


def accuracy(which: str, options: argparse.Namespace) -> None:
    """Prints the table of one data set: ours, the peers, and the ratios to the best of them."""
    scorer = Scorer(which)
    forecasts(scorer.train.head(400), horizon=2, freq=scorer.freq, jobs=1)
    import sklearn.ensemble  # noqa: F401  the time of the import is no series' time

    every, lines = np.arange(len(scorer.ids)), {}
    for label, with_global in (("planning, pool", False), ("planning", True)):
        start = time.process_time()
        ours = forecasts(scorer.train, horizon=scorer.h, freq=scorer.freq, global_model=with_global, jobs=1).frame
        cpu = (time.process_time() - start) / len(scorer.ids) * 1e3
        lines[label] = {**scorer.line(ours, every), "cpu": cpu, "series": len(every)}
    if options.peers:
        found = peers(which, scorer, peer_python(options.peers), options.series, options.arima)
        for model, frame in found.groupby("model", sort=False):
            rows = np.flatnonzero(np.isin(scorer.ids, frame["unique_id"].unique()))
            frame = frame.sort_values(["unique_id", "step"])
            lines[model] = {**scorer.line(frame, rows), "cpu": frame["cpu"].iloc[0], "series": len(rows)}
            mine = ours[ours["unique_id"].isin(frame["unique_id"].unique())]
            same = scorer.line(mine, rows)
            lines[model]["our OWA / its"] = same["OWA"] / lines[model]["OWA"]
            lines[model]["our MSIS / its"] = same["MSIS"] / lines[model]["MSIS"]
            lines[model]["its cpu / ours"] = lines[model]["cpu"] / cpu
    print(f"\n{which}: {len(every)} series, horizon {scorer.h}")
    print(pd.DataFrame(lines).T.round(3).to_string())


def short_quarterly(options: argparse.Namespace) -> None:
    """Prints how intervals hold on quarterly series of 16-40 points, by class of length: M3 and tourism, cut at random.

    Each of the eight rounds cuts every series anew, so that a class of some dozen series says something.
    """
    rng = np.random.default_rng(0)
    train, test = split("m3q")
    m3 = [group.to_numpy() for _, group in pd.concat([train, test]).groupby("unique_id")["y"]]
    trips = pd.read_csv(DATA / "forecasting" / "tourism_hierarchy.csv")
    tourism = [group["Trips"].to_numpy() for _, group in trips.groupby(["Region", "State", "Purpose"])]
    for label, series in (("M3 quarterly", m3), ("tourism", tourism)):
        rounds = pd.concat([_cut_round(series, rng) for _ in range(8)])
        table = rounds.groupby("points", observed=True)[["80 %", "95 %"]].mean() * 100
        table["cuts"] = rounds.groupby("points", observed=True).size() // 8
        print(f"\nshort quarterly, {label}: intervals hold, by points of history\n{table.round(1).to_string()}")


def _cut_round(series: list[np.ndarray], rng: np.random.Generator) -> pd.DataFrame:
    """Returns one row a step of series cut to 16-40 points at a random end: class of length, inside 80 and 95 %."""
    cut = []
    for y in series:
        n = int(rng.integers(16, 41))
        end = int(rng.integers(n + 8, len(y) + 1)) if len(y) > n + 8 else len(y)
        cut.append(y[max(0, end - n - 8) : end])
    rows = []
    for k, y in enumerate(cut):
        ds = pd.date_range("2000-01-01", periods=len(y) - 8, freq="QS")
        rows.append(pd.DataFrame({"unique_id": f"{k:05d}", "ds": ds, "y": y[:-8]}))
    found = forecasts(pd.concat(rows), horizon=8, freq="QS", jobs=1).frame
    actual = np.concatenate([y[-8:] for y in cut])
    points = pd.cut(np.repeat([len(y) - 8 for y in cut], 8), [0, 15, 20, 24, 32, 40])
    held = {f"{k} %": (actual >= found[f"lo-{k}"]) & (actual <= found[f"hi-{k}"]) for k in (80, 95)}
    return pd.DataFrame({"points": points, **held})


def year_sums(options: argparse.Namespace) -> None:
    """Prints how intervals of the sum of the next twelve months hold on M3 monthly, and outcomes by decile."""
    scorer, levels = Scorer("m3m"), (20, 40, 60, 80, 95)
    chosen = Options(12, levels, jobs=1)
    parts = measure_chunks(Panel.of_frame(scorer.train, "MS"), chosen)
    lent, found = Lent.merge([part.lent for part in parts]), []
    for part in parts:
        mean, wide = spread(part, lent, chosen)
        found.append(sum_bounds(part, mean, wide, np.arange(len(mean)), np.ones(12, bool), lent, chosen))
    bounds, actual = np.concatenate(found), scorer.y[:, :12].sum(axis=1)
    held = {k: np.mean((actual >= bounds[:, 2 * j]) & (actual <= bounds[:, 2 * j + 1])) for j, k in enumerate(levels)}
    cuts = np.column_stack([bounds[:, [6, 4, 2, 0]], bounds[:, :2].mean(axis=1), bounds[:, [1, 3, 5, 7]]])
    deciles = np.bincount((actual[:, None] > cuts).sum(axis=1), minlength=10) / len(actual)
    print(f"\nsums of twelve months, M3 monthly: 80 % holds {held[80]:.3f}, 95 % {held[95]:.3f}; PIT deciles",
          np.round(deciles, 3).tolist())


def rare(options: argparse.Namespace) -> None:
    """Prints the scaled pinball loss of intermittent weekly demand (Online Retail II, five origins, nine quantiles)."""
    orders = pd.read_parquet(DATA / "orders" / "online_retail_ii.parquet")
    columns = {name.lower().replace(" ", "").replace("_", ""): name for name in orders.columns}
    code, when, units = columns["stockcode"], columns["invoicedate"], columns["quantity"]
    orders = orders[(orders[units] > 0) & (orders[units] < 5000)]
    week = (orders[when].to_numpy().astype("datetime64[D]").astype(np.int64) + 3) // 7
    wide = orders.assign(week=week).pivot_table(index=code, columns="week", values=units, aggfunc="sum", fill_value=0)
    values = wide.reindex(columns=range(week.min(), week.max() + 1), fill_value=0).to_numpy(dtype=float)
    levels = np.array([0.005, 0.025, 0.165, 0.25, 0.5, 0.75, 0.835, 0.975, 0.995])
    losses = {"hurdle + counts": [], "hurdle": []}
    start, count = time.process_time(), 0
    for back in (8, 12, 16, 20, 24):
        for row in values:
            sold = np.flatnonzero(row[: len(row) - back])
            if not len(sold) or len(row) - back - sold[0] < 26 or len(sold) < 5:
                continue
            y, real = row[sold[0] : len(row) - back], row[len(row) - back : len(row) - back + 8]
            if not is_intermittent(y, 52):
                continue
            unit, count = np.abs(np.diff(y)).mean(), count + 1
            for name, find in (("hurdle + counts", quantiles), ("hurdle", hurdle_quantiles)):
                q = find(y, levels)[:, None]
                loss = np.where(real >= q, levels[:, None] * (real - q), (1 - levels[:, None]) * (q - real))
                losses[name].append(loss.mean() / unit)
    cpu = (time.process_time() - start) / max(count, 1) * 1e3
    print(f"\nintermittent: {count} histories, scaled pinball loss",
          {name: round(float(np.mean(loss)), 4) for name, loss in losses.items()}, f"cpu {cpu:.2f} ms")


def cases(options: argparse.Namespace) -> None:
    """Prints M3 monthly MASE after slips and level shifts."""
    scorer, rng = Scorer("m3m"), np.random.default_rng(1)
    age = scorer.train.groupby("unique_id").cumcount(ascending=False).to_numpy()
    pick = np.repeat(rng.integers(0, 6, len(scorer.ids)), scorer.train.groupby("unique_id").size())
    y = scorer.train["y"]
    changed = {
        "clean": y, "x10 on one of the last 6": y.where(age != pick, y * 10), "zero on one": y.where(age != pick, 0.0),
        **{f"level x1.6 since {k} months": y.where(age < k, y / 1.6) for k in (3, 6, 12)},
    }
    every = np.arange(len(scorer.ids))
    for label, values in changed.items():
        found = forecasts(scorer.train.assign(y=values), horizon=scorer.h, freq="MS", jobs=1).frame
        mean = found["mean"].to_numpy().reshape(-1, scorer.h)
        print(f"{label:28s} MASE {scorer.errors(mean, every)[1]:.3f}", flush=True)


def lengths(options: argparse.Namespace) -> None:
    """Prints M3 monthly MASE and coverage of series cut to their last months, borrowing from the uncut other half."""
    scorer, counts = Scorer("m3m"), (1, 2, 3, 4, 5, 6, 8)
    age = scorer.train.groupby("unique_id").cumcount(ascending=False)
    categories = pd.read_parquet(DATA / "forecasting" / "m3.parquet").groupby("unique_id")["category"].first()
    for label, keys in (("without keys", []), ("with the category as key", ["category"])):
        lines = []
        for half in (0, 1):
            cut = scorer.ids[half::2]
            mine = scorer.train["unique_id"].isin(cut)
            short = [scorer.train[mine & (age < n)].assign(cut=n) for n in counts]
            table = pd.concat([scorer.train[~mine], *short])
            table["category"] = table["unique_id"].map(categories)
            table["unique_id"] += table["cut"].map(lambda n: "" if pd.isna(n) else f"|{n:g}")
            found = forecasts(table[["unique_id", "ds", "y", *keys]], horizon=scorer.h, freq="MS", jobs=1).frame
            rows = np.arange(half, len(scorer.ids), 2)
            for n in counts:
                part = found[found["unique_id"].str.endswith(f"|{n}")].sort_values(["unique_id", "ds"], kind="stable")
                assert list(part["unique_id"].unique()) == [f"{name}|{n}" for name in cut]
                lines.append({"points": n, **scorer.line(part, rows)})
        table = pd.DataFrame(lines).groupby("points")[["MASE", "hold 80", "hold 95"]].mean()
        print(f"\nshort monthly series, {label}\n{table.round(3).T.to_string()}", flush=True)


def start_up(options: argparse.Namespace) -> None:
    """Prints the seconds of compiling on a new machine and of a first forecast later."""
    code = "from planning.forecast.warm import main; main()"
    with tempfile.TemporaryDirectory() as cache:
        for label in ("compile", "later"):
            start = resource.getrusage(resource.RUSAGE_CHILDREN)
            env = {**os.environ, "XDG_CACHE_HOME": cache}
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
            end = resource.getrusage(resource.RUSAGE_CHILDREN)
            print(f"{label}: {end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime:.1f} cpu s")


def write_parts(folder: Path, count: int, size: int) -> None:
    """Writes `count` monthly series of 60-120 points (walk, season, noise) as Parquet parts of `size` series."""
    months, rng = pd.date_range("2015-01-01", periods=120, freq="MS"), np.random.default_rng(0)
    for first in range(0, count, size):
        many = min(size, count - first)
        noise = rng.normal(0, 5, (2, many, 120))
        y = 200 + noise[0].cumsum(axis=1) + 10 * np.sin(np.arange(120) * np.pi / 6) + noise[1]
        keep = np.arange(120) < rng.integers(60, 121, many)[:, None]
        ids = np.repeat([f"{k:06d}" for k in range(first, first + many)], keep.sum(axis=1))
        part = pd.DataFrame({"unique_id": ids, "ds": np.tile(months, many)[keep.ravel()], "y": y[keep]})
        part.to_parquet(folder / f"{first:06d}.parquet", index=False)


def scale(options: argparse.Namespace) -> None:
    """Prints cpu a series and memory of `planning forecast` on a folder of Parquet parts of 2,000 monthly series."""
    code = "from planning.cli import main; main()"
    pool = ("pool and intervals", ["--no-global"])
    runs = [(2_000, *pool), (20_000, *pool), (20_000, "with the global model", [])]
    for count, label, extra in runs + ([(200_000, *pool)] if options.full else []):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "in"
            source.mkdir()
            write_parts(source, count, 2_000)
            call = ["forecast", str(source), "--horizon", "12", "--freq", "MS", "--out", f"{folder}/out", "--jobs", "1"]
            child = subprocess.Popen([sys.executable, "-c", code, *call, *extra], stdout=subprocess.DEVNULL)
            _, status, used = os.wait4(child.pid, 0)
            cpu, memory = (used.ru_utime + used.ru_stime) / count * 1e3, used.ru_maxrss / 1024
            print(f"{count} series, {label}: {cpu:.2f} cpu ms a series with start and files, peak {memory:.0f} MB, "
                  f"exit {status}", flush=True)


def main() -> None:
    """Runs the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, help="folder of a virtual environment with StatsForecast")
    parser.add_argument("--series", type=int, default=0, help="series for AutoETS and AutoCES (0: all)")
    parser.add_argument("--arima", type=int, default=0, help="series for AutoARIMA (0: leave it out)")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--full", action="store_true", help="200,000 series too")
    options = parser.parse_args()
    print(f"{dt.date.today()}  {' '.join(sys.argv)}")
    runs = {"short": short_quarterly, "lengths": lengths, "rare": rare, "cases": cases, "start": start_up}
    runs |= {"scale": scale, "sums": year_sums}
    for part in [options.only] if options.only else PARTS:
        if part in runs:
            runs[part](options)
        else:
            accuracy(part, options)


if __name__ == "__main__":
    main()
