import base64
import hashlib
import json
import re
import time

import pandas as pd
import pytest

from planning.reports import pages, site

PAGES = ["index", "demand_forecast", "deal_postmortem", "plan_summary"]


def read(folder, name):
    return (folder / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_nothing_of_anybody_and_allows_one_script(finished, name):
    text = read(finished["done"], name)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1].replace("&#39;", "'")
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert policy.startswith("default-src 'none'") and f"script-src 'sha256-{digest}'" in policy
    assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", text)
    assert not re.search(r"\son\w+=[\"']", re.sub(r"&[^;]+;", "", text.split("</style>")[1].split("<script>")[0]))
    assert len(text.encode()) < 250_000


@pytest.mark.parametrize("name", PAGES)
def test_a_name_that_is_a_script_is_written_as_text(finished, made, name):
    text = read(finished["done"], name)
    assert made.EVIL not in text and "<img" not in text
    if name == "demand_forecast":
        assert "&lt;script&gt;document.title=" in text


def test_the_answer_comes_first_then_numbers_findings_limits_and_facts(finished):
    text = read(finished["done"], "plan_summary")
    order = [
        "<h1>We can commit",
        "Commit</dt>",
        "Sensors carry the risk",
        'class="map"',
        "What we cannot tell",
        "plan.xlsx",
        "<h2>This run",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert text.count("<h1") == 1
    assert 'style="width:55.0%"' in text and "55\u202f% chance" in text


def test_each_chart_has_a_title_and_a_description(finished):
    text = read(finished["done"], "demand_forecast")
    drawings = re.findall(r"<svg .*?</svg>", text, re.DOTALL)
    assert len(drawings) == 2
    for drawing in drawings:
        assert 'role="img"' in drawing and "<desc" in drawing and "Monthly sales 2021 to 2026" in drawing
    assert {re.search(r'class="([\w-]+)"', d)[1] for d in drawings} == {"on-page", "on-phone"}


def test_tables_state_the_unit_once_and_keep_raw_values(finished):
    text = read(finished["done"], "demand_forecast")
    assert "Sales, EUR k" in text and 'data-csv="accounts"' in text
    cells = re.findall(r'data-l="Sales, EUR k" data-v="([\d.]+)"', text)
    total = re.search(r"<tfoot>.*?data-v=\"([\d.]+)\"", text, re.DOTALL)[1]
    rows = [float(value) for value in cells if value != total]
    assert sum(rows) == pytest.approx(float(total), rel=1e-9)
    assert "\u2212" in text and 'scope="row"' in text and 'scope="col"' in text


def test_a_long_or_repeating_table_is_folded_and_says_how_long_it_is(finished):
    text = read(finished["done"], "demand_forecast")
    assert re.search(r"<details data-print[^>]*><summary>By month \(84 rows\)", text)


def test_the_heat_map_outlines_what_is_below_the_limit(finished, made):
    text = read(finished["done"], "plan_summary")
    frame = made.heat_frame()
    below = int((frame["attainment_probability"] < 0.4).sum())
    body = text[text.index('<table class="map"') :]
    assert body.count(" below") == below > 0
    assert len(re.findall(r'<td class="t\d', body)) == len(frame)
    assert body.index("Export") < body.index("<tfoot>") < body.index("</tfoot>")


def test_a_refusal_is_a_full_page_and_not_an_error(finished):
    text = read(finished["done"], "deal_postmortem")
    assert "is-unknown" in text and "Cannot tell" in text and "is-failed" not in text.split("</style>")[1]
    assert "<h1>These 412 deals cannot say" in text and "an answer can be expected from October 2027" in text


def test_a_run_that_could_not_begin_is_told_in_the_language_it_was_asked_for(tmp_path):
    refused = {"flow": "f", "status": "failed", "language": "en", "given": {"language": "zh"}, "parameters": {},
               "steps": [], "error": {"message": "no"}}  # fmt: skip
    (tmp_path / "run.json").write_text(json.dumps(refused), encoding="utf-8")
    assert '<html lang="zh-CN"' in pages.render_run(tmp_path).read_text(encoding="utf-8")


def test_a_failed_run_says_where_it_stopped_why_and_what_is_kept(finished):
    text = read(finished["failed"], "index")
    assert "<h1>This run stopped: Plan summary failed" in text
    assert "sales.csv, row 1882: two dates in column &#39;ds&#39;. Fix the file and resume." in text
    assert "2 steps were finished and are kept" in text and "Traceback" not in text
    step = read(finished["failed"], "plan_summary")
    assert "<h1>Plan summary failed" in step and "row 1882" in step


def test_the_runs_page_tells_the_steps_in_order(finished):
    text = read(finished["done"], "index")
    body = text.split("</style>")[1]
    order = [body.index(f'href="{name}.html"') for name in ("demand_forecast", "deal_postmortem", "plan_summary")]
    assert order == sorted(order)
    assert "<h1>We can commit" in body and "Which lever wins deals" in body and "What competitors will do" in body


def test_the_code_is_folded_and_escaped(finished):
    text = read(finished["done"], "plan_summary")
    assert "<pre><code>a = 1\nb = &#39;&lt;b&gt;&#39;</code></pre>" in text
    assert text.index("How the numbers were made") < text.index("a = 1\n")


def test_a_chinese_run_has_chinese_words_around_its_results(finished):
    text = read(finished["zh"], "index")
    assert '<html lang="zh-CN"' in text
    for words in ("已完成", "无法判断", "目前无法判断的事项", "本次运行", "数据截至 2026年12月31日", "概率 55%"):
        assert words in text
    assert "What we cannot tell" not in text


@pytest.mark.parametrize("status", ["timeout", "died", "interrupted", "lost", "skipped"])
def test_a_step_without_a_word_still_says_what_its_status_means(tmp_path, status):
    folder = tmp_path / "flow" / "20270101T000000Z-aaaaaa"
    folder.mkdir(parents=True)
    record = {"id": folder.name, "flow": "flow", "status": status, "steps": [{"notebook": "a", "status": status}]}
    (folder / "run.json").write_text(json.dumps(record))
    pages.render_run(folder)
    body = read(folder, "a").split("</style>")[1]
    assert 'class="cause"' in body
    assert len(re.search(r'<ul class="cause"><li>(.*?)</li>', body)[1]) > 20
    assert "Skipped" in body or "is-failed" in body


@pytest.mark.parametrize("spoil", ["run.json", "manifest", "parquet", "svg"])
def test_a_damaged_folder_still_gives_pages(tmp_path, made, spoil):
    folder = made.make_run(tmp_path)
    results = folder / "results" / "demand_forecast"
    {
        "run.json": lambda: (folder / "run.json").write_text("{"),
        "manifest": lambda: (results / "manifest.json").write_text(""),
        "parquet": lambda: (results / "tables" / "accounts.parquet").unlink(),
        "svg": lambda: (results / "charts" / "fan.wide.svg").write_text("<script>alert(1)</script>"),
    }[spoil]()
    pages.render_run(folder)
    text = read(folder, "demand_forecast")
    assert "<h1>" in text and "alert(1)" not in text


def test_pages_of_the_same_folder_are_the_same_bytes(tmp_path, made):
    folder = made.make_run(tmp_path)
    pages.render_run(folder)
    first = {path.name: path.read_bytes() for path in folder.glob("*.html")}
    pages.render_run(folder)
    assert first == {path.name: path.read_bytes() for path in folder.glob("*.html")}


def test_a_page_is_made_within_50_milliseconds(finished):
    pages.render_run(finished["done"])
    start = time.process_time()
    pages.render_run(finished["done"])
    assert (time.process_time() - start) / len(PAGES) < 0.05


def test_money_columns_are_scaled_and_percents_told():
    from planning import language
    from planning.reports import cells

    frame = pd.DataFrame({"m": [1_234_000.0, -5_000.0, None], "p": [0.031, None, 0.002], "t": ["x", None, "z"]})
    money = cells.column(frame, {"name": "m", "label": "Target", "format": "money"}, "EUR")
    assert money.label == "Target, EUR k"
    assert [money.write(v).text for v in frame["m"]] == ["1\u202f234", "\u22125", "–"]
    assert money.write(1_234_000.0).raw == "1234" and money.write(-5000.0).look == "right down"
    percent = cells.column(frame, {"name": "p", "label": "P", "format": "percent"})
    assert [percent.write(v).text for v in frame["p"]] == ["3.1\u202f%", "–", "0.2\u202f%"]
    assert percent.write("not measured").text == "not measured"
    with language.use("zh"):
        assert cells.column(frame, {"name": "m", "label": "目标", "format": "money"}, "EUR").label == "目标, 万欧元"


def test_the_script_and_style_carry_no_comments_into_the_page():
    assert "/*" not in site.style_sheet() and "\n//" not in site.script()
    assert "</script" not in site.script() and "</style" not in site.style_sheet()


def test_a_page_of_many_long_tables_stays_small(tmp_path, made):
    folder = made.make_run(tmp_path)
    path = folder / "results" / "demand_forecast" / "manifest.json"
    manifest = json.loads(path.read_text())
    long = pd.DataFrame({f"column_{i}": range(400) for i in range(12)}) * 1.000001
    long.to_parquet(path.parent / "tables" / "long.parquet")
    columns = [{"name": name, "label": name, "format": "number"} for name in long]
    for i in range(8):
        entry = {"title": f"Long {i}", "parquet": "tables/long.parquet", "csv": "tables/long.csv", "columns": columns}
        manifest["tables"][f"long_{i}"] = entry | {"details": True, "total": None, "heat": None, "rows": 400}
        manifest["sections"][0]["items"].append({"kind": "table", "name": f"long_{i}"})
    path.write_text(json.dumps(manifest))
    text = pages.render_step(folder, "demand_forecast").read_text(encoding="utf-8")
    assert len(text.encode()) < 250_000
    assert text.count("of 400 rows.") == 8 and text.count('href="results/demand_forecast/tables/long.csv"') == 8


def test_the_executed_notebook_is_a_page_of_text(tmp_path, made):
    folder = made.make_run(tmp_path)
    evil = "<script>document.title='owned'</script>"
    outputs = [
        {"output_type": "stream", "text": [f"printed {evil}\n"]},
        {"output_type": "display_data", "data": {"text/html": evil, "application/javascript": "alert(1)"}},
        {"output_type": "display_data", "data": {"image/svg+xml": f"<svg>{evil}</svg>", "text/plain": "a drawing"}},
        {"output_type": "display_data", "data": {"image/png": "aGVsbG8=\n", "text/plain": "a picture"}},
        {"output_type": "display_data", "data": {"image/png": '"><script>', "text/plain": "no picture"}},
        {"output_type": "error", "ename": "ValueError", "evalue": evil, "traceback": ["\x1b[31mline 1\x1b[0m"]},
    ]
    cells = [
        {"cell_type": "markdown", "source": [f"# Title {evil}\n", "\n", "Words."]},
        {"cell_type": "code", "source": ["x = 1"], "outputs": outputs},
    ]
    (folder / "plan_summary.ipynb").write_text(json.dumps({"cells": cells}))
    page = pages.render_step(folder, "plan_summary").read_text(encoding="utf-8")
    assert 'href="plan_summary.notebook.html"' in page
    text = read(folder, "plan_summary.notebook")
    assert evil not in text and "alert(1)" not in text and text.count("<script>") == 1
    assert "<h2>Title &lt;script&gt;" in text and "<p>Words.</p>" in text and "a drawing" in text
    assert 'src="data:image/png;base64,aGVsbG8=" alt="a picture"' in text and text.count("<img") == 1
    assert "no picture" in text and "line 1" in text and "\x1b" not in text


def test_a_wide_heat_map_is_turned_and_keeps_the_riskiest():
    import pandas as pd

    from planning.reports import tables

    cells = [(r, f"line {c:02d}") for r in ("N", "S", "") for c in range(20)]
    frame = pd.DataFrame(cells, columns=["region", "line"]).assign(chance=[0.3 + 0.02 * (i % 20) for i in range(60)])
    entry = {"heat": {"rows": "region", "columns": "line", "chance": "chance"}, "columns": []}
    turned = tables.heat_map(frame, "heat", entry)
    assert len(turned.columns) == 3 and len(turned.rows) == 20
    wide = pd.DataFrame([(f"r{r:02d}", f"line {c:02d}", 0.3 + 0.02 * c) for r in range(25) for c in range(20)])
    wide.columns = ["region", "line", "chance"]
    cut = tables.heat_map(wide, "heat", entry)
    assert cut.columns == [f"line {c:02d}" for c in range(9)]
    assert cut.title.startswith("11 rows or columns")
