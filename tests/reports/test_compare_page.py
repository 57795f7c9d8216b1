import json

import pytest

from planning.reports import compare

COLUMNS = ["notebook", "table", "key", "column", "before", "after", "change", "relative"]
TARGET = ("plan_summary", "(key numbers)", "", "target", 1.2e8, 1.233e8, 3.3e6, 0.0275)
CELL = ("plan_summary", "cells", "North / <b>Pumps</b>", "growth", 0.1, 0.2, 0.1, 1.0)
NEW = ("plan_summary", "cells", "West", "growth", None, 0.2, None, None)


def found(rows=(), **changes):
    none = {"parameters": {}, "inputs": {}, "versions": {}, "steps": {}}
    ids = {"before": "20270107T061204Z-4be19e", "after": "20270108T061204Z-4be19c"}
    return ids | none | changes | {"numbers": [dict(zip(COLUMNS, row, strict=True)) for row in rows]}


@pytest.mark.parametrize(
    ("rows", "headline"),
    [
        ([], "The two runs give the same numbers"),
        ([CELL], "No key number moved; 1 figure in the tables did"),
        ([CELL, NEW], "No key number moved; 2 figures in the tables did"),
        ([TARGET, CELL], "1 key number moved, most of all Target: +2.8\u202f%"),
    ],
)
def test_the_headline_says_what_moved(tmp_path, made, rows, headline):
    path = compare.render_diff(made.make_run(tmp_path), found(rows))
    text = path.read_text(encoding="utf-8")
    assert path.name == "diff-4be19e.html" and f"<h1>{headline}</h1>" in text
    assert "<b>Pumps" not in text


def test_a_key_number_is_told_as_its_pages_write_it(tmp_path, made):
    """A chance that falls from 55 % to 29 % moved by 26 points; a share of a share would say 47 %."""
    later, earlier = made.make_run(tmp_path), made.make_run(tmp_path, "20270107T061204Z-4be19e")
    for folder, text in ((earlier, "55 %"), (later, "29 %")):
        path = folder / "results" / "plan_summary" / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["numbers"] = [{"name": "target", "label": "Chance", "value": 0.5, "text": text}]
        path.write_text(json.dumps(manifest))
    text = compare.render_diff(later, found([TARGET])).read_text(encoding="utf-8")
    assert "<h1>1 key number moved, most of all Chance: from 55 % to 29 %</h1>" in text


def test_the_figures_that_moved_most_are_open_and_the_rest_is_folded(tmp_path, made):
    rows = [(*CELL[:2], f"Row {i}", *CELL[3:]) for i in range(15)]
    text = compare.render_diff(made.make_run(tmp_path), found([*rows, NEW])).read_text(encoding="utf-8")
    open_part, folded = text.split("<details", 1)
    assert "Row 0" in open_part and "Row 11" in open_part and "Row 12" not in open_part
    assert "All figures that moved (15 rows)" in folded and "Row 14" in folded
    assert "West" in folded and "Rows that are in one run only" in folded


def test_what_differs_on_the_way_in_is_listed(tmp_path, made):
    changes = {"parameters": {"a.year": (2026, 2027)}, "inputs": {"sales": ("abc", None)}}
    text = compare.render_diff(made.make_run(tmp_path), found([TARGET], **changes)).read_text(encoding="utf-8")
    assert "Parameters that differ" in text and "a.year" in text and "2027" in text
    assert "Inputs that differ" in text and "not there" in text and "Same way in" not in text
    same = compare.render_diff(tmp_path / "annual_plan" / "20270108T061204Z-4be19c", found()).read_text(
        encoding="utf-8"
    )
    assert "Parameters, inputs, versions and states are the same." in same


def test_a_run_is_compared_with_the_last_good_one_of_its_kind(tmp_path, made):
    from planning.reports import pages
    from planning.runs.diff import page_against_the_run_before

    first, second = (
        made.make_run(tmp_path, "20270101T000000Z-000001"),
        made.make_run(tmp_path, "20270102T000000Z-000002"),
    )
    failed = made.make_run(tmp_path, "20270103T000000Z-000003", status="failed")
    last = made.make_run(tmp_path, "20270104T000000Z-000004")
    for folder in (first, second, failed, last):
        record = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps(record | {"package_sha256": "0" * 64}))
    assert page_against_the_run_before(first) is None and page_against_the_run_before(failed) is None
    assert page_against_the_run_before(last).name == "diff-000002.html"
    assert 'href="diff-000002.html"' in pages.render_run(last).read_text(encoding="utf-8")
    assert 'href="diff-' not in pages.render_run(first).read_text(encoding="utf-8")
