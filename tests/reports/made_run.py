"""A small finished run, made through the same emit calls a notebook makes, for the tests of pages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from planning import charts, language
from planning.runs.emit import Results

EVIL = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
REGIONS = ["North", "West", "South", "East", "Central", "Export"]
LINES = ["Pumps", "Valves", "Sensors", "Drives", "Service"]
RUN_ID = "20270108T061204Z-4be19c"


def fan_frame(months: int = 12) -> pd.DataFrame:
    """Six years of history and `months` of forecast, in euros."""
    rng = np.random.default_rng(7)
    ds = pd.date_range("2021-01-01", periods=72 + months, freq="MS")
    t = np.arange(len(ds))
    y = 8e6 + 3e4 * t + 9e5 * np.sin(t / 12 * 2 * np.pi) + rng.normal(0, 3e5, len(ds))
    frame = pd.DataFrame({"ds": ds, "actual": np.where(t < 72, y, np.nan), "median": np.where(t < 72, np.nan, y)})
    width = 3e5 * np.clip(t - 71, 0, None) ** 0.3
    for level, z in ((50, 0.67), (80, 1.28), (95, 1.96)):
        frame[f"lo-{level}"], frame[f"hi-{level}"] = frame["median"] - z * width, frame["median"] + z * width
    return frame


def heat_frame() -> pd.DataFrame:
    """One row a region and line with its chance and growth, margins included."""
    rng = np.random.default_rng(3)
    keys = [(r, c) for r in [*REGIONS, "total"] for c in [*LINES, "total"]]
    frame = pd.DataFrame(keys, columns=["region", "line"])
    frame["attainment_probability"] = rng.uniform(0.3, 0.8, len(frame))
    frame["growth"] = rng.normal(0.04, 0.06, len(frame))
    return frame


def make_run(
    reports: Path, run_id: str = RUN_ID, *, tongue: str = "en", evil: bool = False, status: str = "ok"
) -> Path:
    """Writes a run of the flow annual_plan below `reports` and returns its folder."""
    folder = reports / "annual_plan" / run_id
    (folder / "logs").mkdir(parents=True)
    steps = []
    with language.use(tongue):
        for name, make in (("demand_forecast", _forecast), ("deal_postmortem", _deals), ("plan_summary", _summary)):
            if status == "failed" and name == "plan_summary":
                steps.append(
                    {
                        "notebook": name,
                        "status": "failed",
                        "seconds": 1.2,
                        "error": {
                            "cell": 4,
                            "message": "sales.csv, row 1882: two dates in column 'ds'. Fix the file and resume.",
                        },
                    }
                )
                continue
            results = Results(folder / "results" / name, name, tongue)
            results.manifest.update(company="Sample company", currency="EUR", as_of="2026-12-31")
            make(results, EVIL if evil else "Meyer Pumpen GmbH")
            results.finish()
            notebook = {"cells": [{"cell_type": "code", "source": ["a = 1\n", "b = '<b>'"], "outputs": []}]}
            (folder / f"{name}.ipynb").write_text(json.dumps(notebook))
            (folder / "logs" / f"{name}.log").write_text("done\n")
            steps.append(
                {"notebook": name, "status": "ok", "seconds": 12.3, "parameters": {"language": tongue, "year": 2027}}
            )
    record = {
        "id": run_id,
        "flow": "annual_plan",
        "status": status,
        "started": "2027-01-08T06:12:04Z",
        "seconds": 41.2,
        "language": tongue,
        "company": "Sample company",
        "currency": "EUR",
        "seed": 20270108,
        "steps": steps,
        "error": None,
        "parameters": {step["notebook"]: step.get("parameters", {}) for step in steps},
        "inputs": {"sales": {"sha256": "9f2c41d07ab3" * 5}},
        "versions": {"planning": "0.1.0", "python": "3.11"},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def _forecast(out: Results, name: str) -> None:
    out.manifest["title"] = "Demand forecast 2027"
    out.answer(
        "Sales of 2027 are expected at €123.6 m, 80 % interval 117.1 to 130.2", "The error of past forecasts was 8.1 %."
    )
    out.number("expected", 123.6e6, label="Expected", text="€123.6\u202fm", lead=True)
    out.number("wape", 0.081, label="Error of past forecasts", text="8.1\u202f%", note="WAPE, 12 months ahead")
    out.finding(
        "fan",
        "Half of all outcomes lie inside the darkest band",
        "The bands widen with distance.\nThey were checked on our past.",
    )
    out.chart(
        "fan",
        charts.fan,
        fan_frame(),
        alt="Monthly sales 2021 to 2026 and the forecast of 2027 with its bands.",
        title="Total sales by month",
        options={"currency": "EUR", "events": {"2024-05-01": "port closure"}},
    )
    rng = np.random.default_rng(5)
    accounts = pd.DataFrame(
        {
            "account": [name, "=1+1", "Ängström & Söhne", *[f"Account {i}" for i in range(5)]],
            "amount": rng.uniform(1e5, 4e6, 8),
            "growth": rng.normal(0, 0.1, 8),
            "since": pd.Timestamp("2019-05-01"),
            "chance": rng.uniform(0, 1, 8),
        }
    )
    out.table(
        "accounts",
        accounts,
        title="Largest accounts",
        total={"amount": float(accounts["amount"].sum())},
        headings={"account": "Account", "amount": "Sales", "growth": "Growth", "since": "Since", "chance": "Chance"},
        formats={"amount": "money", "growth": "percent", "since": "month", "chance": "probability"},
    )
    out.table(
        "months", fan_frame()[["ds", "actual", "median"]], title="By month", details=True, formats={"ds": "month"}
    )
    out.left_out("Credit notes without an order", 1204, 0.003, "Left out and listed")


def _deals(out: Results, name: str) -> None:
    out.manifest["title"] = "Why deals are won and lost"
    out.refuse(
        "These 412 deals cannot say why we win: the recorded fields do no better than a coin flip",
        "So there are no weights.",
    )
    out.number("auc", 0.53, label="Told apart on unseen deals", text="0.53", note="AUC, 90 % interval 0.47 to 0.59")
    out.finding(
        "tests", "Nothing recorded so far tells won from lost", "An interval that crosses the line means: no weights."
    )
    frame = pd.DataFrame(
        {
            "label": ["Market and product fields", "All fields", name[:24]],
            "value": [0.51, 0.53, 0.5],
            "lo": [0.46, 0.47, 0.45],
            "hi": [0.56, 0.59, 0.56],
            "role": "aux",
        }
    )
    out.chart(
        "auc",
        charts.intervals,
        frame,
        alt="AUC of three models, all intervals contain 0.5.",
        title="How well won is told from lost",
        options={
            "kind": "ratio",
            "heading": "AUC",
            "interval_heading": "90 % interval",
            "reference": 0.5,
            "reference_name": "coin flip",
        },
    )
    out.cannot_tell(
        "Which lever wins deals", "Record the promised response time; an answer can be expected from October 2027."
    )


def _summary(out: Results, name: str) -> None:
    out.manifest["title"] = "Plan summary 2027"
    out.answer(
        "We can commit to €119.7 m for 2027 and aim for €123.3 m: the chance of reaching the target is 55 %",
        "The target is 4.9 % above 2026. Short supply of drives takes €1.1 m off expected sales.",
    )
    for key, label, text, chance in (
        ("commit", "Commit", "€119.7\u202fm", 0.8),
        ("target", "Target", "€123.3\u202fm", 0.55),
        ("stretch", "Stretch", "€126.7\u202fm", 0.25),
        ("actual", "2026 actual", "€117.6\u202fm", 0.88),
    ):
        out.number(key, float(text[1:6]) * 1e6, label=label, text=text, chance=chance, lead=key == "target")
    out.finding(
        "risk",
        "Sensors carry the risk: 4 cells have less than a 40 % chance",
        "Upper figure: chance. Lower figure: growth.",
    )
    out.table(
        "cells",
        heat_frame(),
        title="Chance and growth by region and line",
        headings={"region": "Region"},
        heat={
            "rows": "region",
            "columns": "line",
            "chance": "attainment_probability",
            "second": "growth",
            "limit": 0.4,
        },
    )
    out.finding("budget", "Same budget: move money from fairs to distributors", "")
    frame = pd.DataFrame(
        {
            "label": ["Distributor support", "Online", "Trade fairs"],
            "value": [2.16e5, 1.86e5, -2.94e5],
            "note": ["raise", "raise", "cut"],
        }
    )
    out.chart(
        "moves",
        charts.bars,
        frame,
        alt="Changes of the budget: distributor support +216, online +186, fairs −294.",
        title="Change of the yearly budget",
        options={"kind": "money", "currency": "EUR", "signed": True},
    )
    out.cannot_tell("What competitors will do", "Their prices are not in the data.")
    out.file("plan.xlsx", lambda path: path.write_bytes(b"PK"))


def make_old_runs(reports: Path, count: int) -> None:
    """Writes `count` runs of two flows before all others, one in ten failed, with a parameter each."""
    for i in range(count):
        flow, failed = ("weekly_progress", "replan")[i % 2], i % 10 == 3
        run_id = f"2026{1 + i // 28:02d}{1 + i % 28:02d}T070000Z-{i:06x}"
        folder = reports / flow / run_id
        folder.mkdir(parents=True)
        step = {
            "notebook": flow, "title": "", "state": "ok", "status": "failed" if failed else "ok",
            "answer": "" if failed else f"We are at {i} %", "seconds": 2.0,
            "error": {"cell": 2, "message": f"row {i}: no amount. Write one."} if failed else None,
            "numbers": [{"name": "p", "label": "Chance", "value": i / count, "text": f"{i} %", "lead": True}],
        }  # fmt: skip
        given = {"region": ("North", "South", "Export")[i % 3]}
        record = {"id": run_id, "flow": flow, "status": step["status"], "seconds": 2.0, "given": given, "steps": [step]}
        (folder / "run.json").write_text(json.dumps(record))
