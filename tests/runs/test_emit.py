"""What a notebook shows of a table while it runs."""

from __future__ import annotations

import pandas as pd

from planning.runs import emit


def shown(tmp_path, frame: pd.DataFrame, **options) -> str:
    return emit.Results(tmp_path / "results" / "nb", "nb", "en").table("t", frame, **options)._markup


def test_columns_of_one_heading_and_every_kind_of_value_are_shown(tmp_path):
    days = pd.to_datetime(["2027-01-08", "2027-01-08 09:30", None, "2027-02-01"], format="ISO8601")
    frame = pd.DataFrame({
        "a": [118_800_000.4, 1234.5, 0.123456, None], "b": ["<b>", None, "x", "y"], "ds": days,
        "n": pd.array([1, None, 3, 4], "Int64"), "f": [1.5, 2.5, float("nan"), 0.0],
    })  # fmt: skip
    text = shown(tmp_path, frame, headings={"a": "from", "f": "from"}, words={"b": {"x": "spoken"}})
    assert text.count("<th>from</th>") == 2 and text.count("<tr>") == 5
    assert "<td>118,800,000</td>" in text and "<td>1,234.50</td>" in text and "<td>0.1235</td>" in text
    assert "&lt;b&gt;" in text and "spoken" in text and "nan" not in text and "NaT" not in text and "None" not in text
    assert "<td>2027-01-08</td>" in text and "<td>2027-01-08 09:30</td>" in text


def test_long_and_empty_tables(tmp_path):
    assert "<p>+ 8</p>" in shown(tmp_path, pd.DataFrame({"a": range(20)}))
    assert "<tbody></tbody>" in shown(tmp_path / "2", pd.DataFrame({"a": []}))
