import numpy as np
import pandas as pd
import pytest

from planning import config, language
from planning.errors import Fault
from planning.reports import data_check_page, plan_summary_page
from planning.runs.emit import Results
from planning.sources import CheckResult
from planning.tables.canonical import Checked


class Recorder(Results):
    """A step without a run: it keeps what is said, and serves results of parts from memory."""

    def __init__(self, folder, tables=None, manifests=None, sales=None):
        super().__init__(folder, "test", language.current())
        self.settings = config.Settings.model_validate(
            {"company": {"name": "A"}, "plan": {"by": ["region"], "year": 2027}}
        )
        self.tables, self.manifests, self.sales = tables or {}, manifests or {}, sales
        self.tabulate = self.table
        self.table = lambda name: self.sales

    def title(self, text):
        self.manifest["title"] = text

    def chart(self, name, plot, frame, *, alt, title="", **options):
        return super().chart(name, plot, frame, alt=alt, title=title, options=options)

    def has(self, notebook, name):
        return (notebook, name) in self.tables

    def result(self, notebook, name):
        return self.tables[notebook, name]


def sales(months=24):
    ds = pd.date_range("2025-01-01", periods=months, freq="MS")
    return pd.DataFrame({"ds": ds, "region": "North", "amount": np.linspace(1e6, 2e6, months)})


def checked(name, frame, faults=(), left_out=()):
    return Checked(
        name, f"{name}.csv", frame, np.arange(2, len(frame) + 2), faults=list(faults), left_out=list(left_out)
    )


def check_page(folder, result):
    step = Recorder(folder)
    data_check_page.show_answer(step, result)
    data_check_page.show_faults(step, result)
    data_check_page.show_tables(step, result)
    data_check_page.show_history(step, result)
    data_check_page.show_limits(step, result)
    step.finish()
    return step.manifest


def test_a_clean_check(tmp_path):
    result = CheckResult({"sales": checked("sales", sales())}, unconfigured=("deals", "products"))
    said = check_page(tmp_path, result)
    assert said["answer"] == "1 table with 24 rows can be planned from: no fault was found"
    assert [n["value"] for n in said["numbers"]] == [1, 24, 0, 0]
    assert set(said["charts"]) == {"history"} | ({"spans"} if "spans" in said["charts"] else set())
    assert [line["question"] for line in said["cannot_tell"]] == ["Why deals are won or lost"]
    assert {"tables", "faults"} <= set(said["tables"]) and said["tables"]["faults"]["rows"] == 0


def test_faults_missing_files_and_left_out_rows_are_all_listed(tmp_path):
    faults = [
        Fault("sales.csv", 7, "amount", 'found "x"', "Write a number."),
        Fault("sales.csv", None, None, "2 gaps", "Fill them.", "warning"),
    ]
    result = CheckResult(
        {"sales": checked("sales", sales(2), faults, [("footer", 3)])},
        missing=[("deals", "deals.csv: there is no such file")],
    )
    said = check_page(tmp_path, result)
    assert said["answer"] == "2 faults stop the plan; 2 tables were read"
    rows = pd.read_parquet(tmp_path / said["tables"]["faults"]["parquet"])
    assert list(rows["severity"]) == ["fault", "fault", "warning"]
    assert rows["found"].iloc[0] == "deals.csv: there is no such file" and rows["row"].iloc[1] == 7
    assert said["left_out"] == [
        {
            "reason": "Sales: footer",
            "rows": 3,
            "share": pytest.approx(0.6),
            "done": "Not used; the file was not changed",
        }
    ]
    assert "history" not in said["charts"], "two months are too few to look at"


def test_nothing_configured(tmp_path):
    said = check_page(tmp_path, CheckResult(unconfigured=("sales", "deals")))
    assert said["answer"].startswith("No table is configured yet") and said["charts"] == {}


# ------------------------------------------------------------------------------------------- plan summary


def part(name, answer, state="ok", sections=(), **more):
    rows = [
        {"name": n, "finding": f"Finding {n}", "why": "Why.", "items": [{"kind": k, "name": i}]} for n, k, i in sections
    ]
    plain = {"notebook": name, "language": "en", "state": state, "answer": answer, "lede": "Lede.", "sections": rows}
    return plain | {"numbers": [], "cannot_tell": [], "left_out": []} | more


def summary(folder, manifests, tables=None):
    step = Recorder(folder, tables)
    own, parts_of = step.manifest, manifests
    step.manifest = parts_of.get
    parts = plan_summary_page.gather(step)
    step.manifest = own
    for show in ("answer", "bridge", "forecast", "cells", "budget", "deals", "parts", "limits"):
        getattr(plan_summary_page, f"show_{show}")(step, parts)
    step.finish()
    return own


def test_a_summary_of_nothing_is_a_refusal_that_says_what_to_run(tmp_path):
    said = summary(tmp_path, {})
    assert said["state"] == "cannot_tell" and "planning run annual_plan" in said["lede"]
    assert len(said["cannot_tell"]) == 5 and said["numbers"] == []


def test_a_summary_of_targets_and_budget(tmp_path):
    heat = {"rows": "region", "columns": "line", "chance": "p", "limit": 0.4}
    columns = [{"name": n, "label": n, "format": "text"} for n in ("region", "line", "p")]
    number = {"label": "Target", "text": "€124 m", "value": 1.24e8, "chance": 0.55, "note": "", "lead": True}
    manifests = {
        "annual_targets": part(
            "annual_targets", "We aim for €124 m",
            sections=[("road", "chart", "bridge"), ("map", "table", "heat")], numbers=[number | {"name": "target"}],
            tables={"heat": {"heat": heat, "columns": columns}}, left_out=[{"reason": "footer", "rows": 3, "done": ""}],
            cannot_tell=[{"question": "What competitors do", "answer": "Ask."}],
        ),
        "regional_budget": part("regional_budget", "Moving €1 m brings more", sections=[("l", "table", "lines_table")]),
        "deal_postmortem": part("deal_postmortem", "These deals cannot say", state="cannot_tell"),
    }  # fmt: skip
    bridge = pd.DataFrame({
        "label": ["2026", "Trend", "Target"], "change": [np.nan, 5e6, np.nan], "after": [1.17e8, 1.22e8, 1.24e8],
        "lo": np.nan, "hi": np.nan, "step": ["last", "trend", "target"],
    })  # fmt: skip
    lines = pd.DataFrame(
        {"line": ["Online", "Fairs"], "now": [1e6, 2e6], "proposed": [1.5e6, 1.5e6], "verdict": ["raise", "cut"]}
    )
    tables = {
        ("annual_targets", "bridge"): bridge, ("regional_budget", "lines_table"): lines,
        ("annual_targets", "heat"): pd.DataFrame({"region": ["N"], "line": ["P"], "p": [0.3]}),
    }  # fmt: skip
    said = summary(tmp_path, manifests, tables)
    assert (said["state"], said["answer"], said["title"]) == ("ok", "We aim for €124 m", "Plan summary 2027")
    assert [(n["name"], n["chance"], n["lead"]) for n in said["numbers"]] == [("target", 0.55, True)]
    assert list(said["charts"]) == ["bridge", "budget"] and "Trend" not in said["charts"]["bridge"]["alt"]
    assert said["tables"]["chances"]["heat"] == heat
    findings = [section["finding"] for section in said["sections"]]
    assert findings[:3] == ["Finding road", "Finding map", "Moving €1 m brings more"]
    assert "These deals cannot say" in findings and "3 of 5 parts of the plan were run" in findings
    questions = [line["question"] for line in said["cannot_tell"]]
    assert questions[:2] == ["Whether the data can be relied on", "What sales can be expected"]
    assert questions[-1] == "What competitors do" and said["left_out"][0]["rows"] == 3


def test_a_summary_in_chinese_reads_an_english_part(tmp_path):
    lines = pd.DataFrame({"line": ["Online"], "now": [1e6], "proposed": [1.5e6], "verdict": ["raise"]})
    manifest = part("regional_budget", "Moving €1 m brings more", sections=[("l", "table", "lines_table")])
    with language.use("zh"):
        said = summary(tmp_path, {"regional_budget": manifest}, {("regional_budget", "lines_table"): lines})
    assert said["title"] == "2027 年计划摘要" and "budget" in said["charts"]
    assert "1b5e9b" in (tmp_path / said["charts"]["budget"]["wide"]).read_text(), "a raise keeps the colour of the plan"


def test_weights_are_drawn_with_their_intervals(tmp_path):
    weights = pd.DataFrame({
        "family": ["product", "price"], "share": [0.7, 0.3], "lo90": [0.6, 0.2], "hi90": [0.8, 0.4],
        "band_lo": [0.5, 0.1], "band_hi": [0.9, 0.5],
    })  # fmt: skip
    said = summary(
        tmp_path, {"deal_postmortem": part("deal_postmortem", "Fit leads")}, {("deal_postmortem", "weights"): weights}
    )
    assert said["answer"] == "Fit leads"
    assert "Product fit 70\u202f%" in said["charts"]["deals"]["alt"]


def one_cell_forecast(mean, error):
    """Twelve months of 2027 for one cell and the total; past errors of +-`error` a month that move together."""
    from planning.forecast.joint_forecast import JointForecast

    errors = np.array([np.full((2, 12), error), np.full((2, 12), -error)], dtype="float32")
    cells = pd.DataFrame({"unique_id": ["A", "total"], "level": ["region", "total"], "region": ["A", "total"]})
    return JointForecast(
        cells=cells, periods=pd.date_range("2027-01-01", periods=12, freq="MS"), mean=np.full((2, 12), float(mean)),
        errors=errors, weights=np.array([0.5, 0.5]), df=np.inf, keys=("region",), bottom=np.array([True, False]),
        nonnegative=np.array([True, True]), meta={},
    )  # fmt: skip


def test_the_monthly_forecasts_own_chance_of_the_target():
    fan = pd.DataFrame({"ds": pd.to_datetime(["2026-12-01"]), "actual": [9.0]})
    view = plan_summary_page.second_view(one_cell_forecast(10, 1.0), fan, 120.0, 2027)
    assert view == {"expected": pytest.approx(120.0), "chance": pytest.approx(0.5)}
    # A month together of +-1 makes a year of +-12: one scale above the mean leaves 16 %.
    above = plan_summary_page.second_view(one_cell_forecast(10, 1.0), fan, 132.0, 2027)
    assert above["chance"] == pytest.approx(0.1587, abs=1e-3)
    assert plan_summary_page.second_view(one_cell_forecast(10, 1.0), fan, 120.0, 2028) is None
    # From July on, half of the fiscal year 2027 lies beyond the forecast.
    assert plan_summary_page.second_view(one_cell_forecast(10, 1.0), fan, 120.0, 2027, 7) is None


def second_view_of(tmp_path, **plan):
    """The summary page's own manifest for a plan of 132 beside a monthly forecast of 120 +- 12."""
    sections = [("total", "chart", "total")]
    manifests = {
        "annual_targets": part("annual_targets", "We aim for €132"),
        "demand_forecast": part("demand_forecast", "We expect €120", sections=sections),
    }
    row = {"year": 2027, "target": 132.0, "attainment_probability": 0.55, "expected": 131.0} | plan
    plan = pd.DataFrame([row])
    tables = {("annual_targets", "summary"): plan, ("demand_forecast", "joint"): one_cell_forecast(10, 1.0)}
    history = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=36, freq="MS"), "region": "A", "amount": 10.0})
    step = Recorder(tmp_path, tables, sales=history)
    own, step.manifest = step.manifest, manifests.get
    parts = plan_summary_page.gather(step)
    step.manifest = own
    plan_summary_page.show_answer(step, parts)
    plan_summary_page.show_forecast(step, parts)
    plan_summary_page.show_limits(step, parts)
    return own


def test_a_plan_that_rests_on_the_forecast_shown_has_one_forecast_and_its_limits(tmp_path):
    own = second_view_of(tmp_path, base="demand_forecast")
    text = own["sentences"]["second_view"]
    assert "after adjustments and limits the plan expects €131" in text and "would be 16\u202f%" in text
    assert all(row["question"] != "Which of two forecasts is nearer" for row in own["cannot_tell"])


def test_two_forecasts_on_one_page_do_not_look_like_one(tmp_path):
    own = second_view_of(tmp_path, base="outlook")
    assert "chance of the target is 16\u202f%" in own["sentences"]["second_view"]
    first = own["cannot_tell"][0]
    assert first["question"] == "Which of two forecasts is nearer" and "55\u202f%" in first["answer"]
