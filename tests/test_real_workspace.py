"""A company that is none: real retail turnover as sales, real CRM deals, a stranger's spend, through the whole flow."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"

CONFIG = """
[company]
name = "Retail, Maven and Meridian"
currency = "AUD"

[plan]
by = ["region", "line"]
year = 2019

[sources.sales]
path = "data/raw/retail.parquet"
[sources.sales.columns]
region = "State"
line = "Industry"
ds = "Month"
amount = "Turnover"

[sources.deals]
path = "data/raw/sales_pipeline.csv"
date_format = "%m/%d/%Y"
[sources.deals.columns]
deal_id = "opportunity_id"
owner_id = "sales_agent"
account_id = "account"
line = "product"
stage = "deal_stage"
created_date = "engage_date"
closed_date = "close_date"
amount = "close_value"

[sources.spend]
path = "data/raw/spend.csv"

[flows.annual_plan]
steps = ["data_check", "demand_forecast", "annual_targets", "regional_budget", "deal_postmortem", "plan_summary"]
"""


def make_workspace(folder: Path) -> None:
    """Turnover by state and industry since 2008, all Maven deals, Meridian's spend as one row a week, geo and line."""
    raw = folder / "data" / "raw"
    raw.mkdir(parents=True)
    for name in ("reports", "forecasts"):
        (folder / name).mkdir()
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    retail = pd.read_parquet(DATA / "sales" / "aus_retail.parquet")
    retail[retail["Month"] >= "2008-01-01"].to_parquet(raw / "retail.parquet")
    shutil.copy(DATA / "deals" / "maven_crm" / "sales_pipeline.csv", raw)
    wide = pd.read_csv(DATA / "spend" / "meridian_geo_all_channels.csv")
    channels = [f"Channel{i}_spend" for i in range(5)]
    spend = wide.melt(["geo", "time"], channels, "line", "amount")
    spend.rename(columns={"geo": "region", "time": "period"}).to_csv(raw / "spend.csv", index=False)
    (folder / "workbench.toml").write_text(CONFIG, "utf-8")


@pytest.mark.skipif(not DATA.is_dir(), reason="the reference data (../shared/data) are not on this machine")
def test_the_annual_plan_of_real_data(tmp_path):
    make_workspace(tmp_path)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [str(Path(sys.executable).with_name("planning")), "run", "annual_plan", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["status"] == "ok"
    results = Path(record["folder"]) / "results"

    deals = json.loads((results / "deal_postmortem" / "manifest.json").read_text("utf-8"))
    assert deals["state"] == "cannot_tell"
    assert "weights" not in deals["tables"]
    findings = pd.read_parquet(results / "deal_postmortem" / "tables" / "findings.parquet")
    assert findings["rule"].str.contains("trunc").any()

    targets = json.loads((results / "annual_targets" / "manifest.json").read_text("utf-8"))
    numbers = {number["name"]: number["value"] for number in targets["numbers"]}
    sold = (
        pd.read_parquet(tmp_path / "data" / "raw" / "retail.parquet").query("Month >= '2018-01-01'")["Turnover"].sum()
    )
    assert numbers["commit"] < numbers["target"] < numbers["stretch"]
    assert 0.95 < numbers["target"] / sold < 1.10

    budget = json.loads((results / "regional_budget" / "manifest.json").read_text("utf-8"))
    assert budget["state"] == "cannot_tell"
    pages = [path.read_text("utf-8") for path in Path(record["folder"]).glob("*.html")]
    assert len(pages) >= 7
    assert (tmp_path / "reports" / "index.html").is_file()
