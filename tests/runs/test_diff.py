"""What differs between two runs: numbers by key, the biggest changes first."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planning.runs import diff, launch

MAKES = 'import pandas as pd\nstep.tabulate("rows", pd.DataFrame({"k": ["a", "b"], "v": [1.0, p.n]}))'
NUMBER = 'p = step.parameters\nstep.number("n", p.n, label="Rows", text=str(p.n))'


@pytest.mark.usefixtures("no_pages", "quick")
def test_runs_are_compared_number_by_number(workspace):
    workspace.notebook("first", NUMBER, MAKES)
    before, after = (launch.start("first", given={"n": n}) for n in (2, 4))
    found = diff.compare(before, after)
    assert found["parameters"] == {"first.n": (2, 4)} and found["versions"] == {} and found["inputs"] == {}
    rows = pd.DataFrame(found["numbers"]).set_index(["table", "key", "column"])
    assert rows.loc[("rows", "b", "v"), "change"] == 2 and rows.loc[("rows", "b", "v"), "relative"] == 1
    assert ("rows", "a", "v") not in rows.index
    assert rows.loc[("(key numbers)", "", "n"), "after"] == 4


def test_a_row_that_is_in_one_run_only_is_a_difference(tmp_path):
    from planning.runs import emit

    for name, frame in {"a": {"k": ["x"], "v": [1.0]}, "b": {"k": ["x", "y"], "v": [1.0, 2.0]}}.items():
        out = emit.Results(tmp_path / name / "results" / "nb", "nb", "en")
        out.answer("An answer")
        out.table("t", pd.DataFrame(frame))
        out.finish()
    changes = diff.numbers(tmp_path / "a", tmp_path / "b")
    assert len(changes) == 1 and changes[0]["key"] == "y" and changes[0]["before"] is None


def _compared(tmp_path, before, after):
    """What `diff.numbers` says of one table before and after, as {(key, column): (before, after)}, in its order."""
    from planning.runs import emit

    for name, frame in {"a": before, "b": after}.items():
        out = emit.Results(tmp_path / name / "results" / "nb", "nb", "en")
        out.answer("An answer")
        out.table("t", pd.DataFrame(frame))
        out.finish()
    rows = diff.numbers(tmp_path / "a", tmp_path / "b")
    return {(row["key"], row["column"]): (row["before"], row["after"]) for row in rows}


def test_a_sentence_beside_the_figures_is_no_key_and_whole_numbers_are_figures(tmp_path):
    before = {"person": ["P1", "P2"], "team": ["N", "N"], "why": ["3 %", "4 %"], "deals": [5, 6], "v": [1.0, 2.0]}
    after = {**before, "why": ["9 %", "4 %"], "deals": [5, 9], "v": [3.0, 2.0]}
    assert _compared(tmp_path, before, after) == {("P1", "v"): (1, 3), ("P2", "deals"): (6, 9)}


def test_a_label_that_moves_with_the_figures_is_no_key_where_others_name_the_row(tmp_path):
    before = {"label": ["At 55 %", "Sum"], "kind": ["limit", "total"], "v": [10.0, 20.0]}
    after = {"label": ["At 29 %", "Sum"], "kind": ["limit", "total"], "v": [11.0, 20.0]}
    assert _compared(tmp_path, before, after) == {("limit", "v"): (10, 11)}


def test_rows_that_only_several_columns_or_a_whole_number_name(tmp_path):
    two = {"region": ["N", "N", "S"], "line": ["P", "V", "P"], "v": [1.0, 2.0, 3.0]}
    assert _compared(tmp_path / "1", two, {**two, "v": [1.0, 5.0, 3.0]}) == {("N / V", "v"): (2, 5)}
    step = {"horizon": [1, 2, 3], "v": [1.0, 2.0, 3.0]}
    assert _compared(tmp_path / "2", step, {**step, "v": [1.0, 2.0, 4.0]}) == {("3", "v"): (3, 4)}
    same = {"k": ["a", "a"], "v": [1.0, 2.0]}
    assert _compared(tmp_path / "3", same, {**same, "v": [1.0, 3.0]}) == {("a #2", "v"): (2, 3)}


def test_a_rate_near_nothing_is_no_news(tmp_path):
    """0.0006 → 0.03 is fifty times itself and less than 0.3 → 0.5; amounts and rates are ranked by one measure."""
    before = {"k": list("abc"), "growth": [0.0006, 0.3, 0.4], "amount": [100.0, 100.0, 100.0]}
    after = {"k": list("abc"), "growth": [0.03, 0.5, 0.4], "amount": [100.0, 180.0, 101.0]}
    ranked = [("b", "amount"), ("b", "growth"), ("a", "growth"), ("c", "amount")]
    assert list(_compared(tmp_path, before, after)) == ranked


def test_what_is_in_one_run_only_comes_after_what_moved(tmp_path):
    before, after = {"k": ["a", "b", "c"], "v": [1.0, 1.0, 5.0]}, {"k": ["a", "b", "d"], "v": [1.1, 4.0, 5.0]}
    found = _compared(tmp_path, before, after)
    assert list(found) == [("b", "v"), ("a", "v"), ("c", "v"), ("d", "v")]
    assert found["c", "v"] == (5, None) and found["d", "v"] == (None, 5)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.floats(1, 9)), unique_by=lambda r: r[:2]))
@settings(max_examples=40, deadline=None)
def test_keys_find_what_a_plain_loop_finds(rows):
    """Columns in any order of rows: the changes are those of a dictionary of both words."""
    import pyarrow as pa

    table = pa.table({name: [row[i] for row in rows] for i, name in enumerate(("one", "two", "v"))})
    turned = pa.table({
        "one": [r[0] for r in rows[::-1]], "two": [r[1] for r in rows[::-1]], "v": [r[2] * 2 for r in rows[::-1]],
    })  # fmt: skip
    found = diff._table_changes("nb", "t", table, turned)
    assert len(found) == len(rows) and all(row["relative"] == pytest.approx(1) for row in found)
