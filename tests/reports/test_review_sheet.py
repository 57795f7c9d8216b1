"""The review sheet opens, holds what the tables hold, and text that looks like a formula stays text."""

import numpy as np
import openpyxl
import pandas as pd
import pytest

from planning import sample
from planning.deals import deal_contributions, workspace
from planning.reports.review_sheet import write_review_sheet
from planning.sources import read_frame


@pytest.fixture(scope="module")
def mortem(tmp_path_factory):
    folder = tmp_path_factory.mktemp("company") / "sample"
    sample.write(folder, seed=3, scale=0.5)
    deals = read_frame(folder / "deals.csv", dates=["created_date", "closed_date", "close_date"])
    deals.loc[deals.index[:50], "name"] = "=1+1"
    stages = read_frame(folder / "stage_history.csv", dates=["entered_at", "left_at", "close_date"])
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    return workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"))


def test_the_sheet_holds_the_lost_deals_in_order(mortem, tmp_path):
    write_review_sheet(tmp_path / "review.xlsx", mortem)
    book = openpyxl.load_workbook(tmp_path / "review.xlsx")
    assert len(book.worksheets) == 6
    rows = list(book.worksheets[0].iter_rows(values_only=True))
    look = mortem.tables["second_look"]
    assert [row[0] for row in rows[1:]] == look["deal_id"].head(60).tolist()
    assert "Moved by, sd" in rows[0]
    pulled = list(book.worksheets[1].iter_rows(values_only=True))
    assert [row[0] for row in pulled[1:]] == look["deal_id"].head(60).tolist()
    parts = deal_contributions(mortem.result).set_index("deal_id").loc[pulled[1][0]]
    assert list(pulled[1][2:-1]) == pytest.approx(parts.drop("intercept").tolist())
    assert pulled[1][1] == pytest.approx(1 / (1 + np.exp(-parts.sum())))
    assert not any(cell.data_type == "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_the_sample_company_gives_back_its_truth(mortem):
    truth = {"market": 0.20, "product": 0.30, "price": 0.15, "skill": 0.25, "customer": 0.10}
    weights = mortem.result.weights.set_index("family")
    held = [row.lo90 <= truth[name] <= row.hi90 for name, row in weights.iterrows()]
    assert not mortem.result.refused and sum(held) >= 4
    assert {"levers", "second_look", "reasons", "performers", "practices", "funnel", "cycle"} <= set(mortem.tables)
