"""Runs from end to end: order, side by side, refusals before a kernel starts, reuse, resume, secrets, by hand."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import threading
import time
from pathlib import Path

import pytest

from planning import files
from planning.cli import run as run_command
from planning.errors import ConfigError, NotebookError, UsageError
from planning.reports.pages import render_run
from planning.runs import declaration, emit, housekeeping, launch, layout, registry

pytestmark = pytest.mark.usefixtures("no_pages", "quick")
MAKES = 'import pandas as pd\nstep.tabulate("rows", pd.DataFrame({"k": ["a", "b"], "v": [1.0, p.n]}))'
NUMBER = 'p = step.parameters\nstep.number("n", p.n, label="Rows", text=str(p.n))'


def _by_name(record):
    return {step["notebook"]: step for step in record["steps"]}


def test_a_flow_runs_in_the_order_of_its_needs_and_shares_results(workspace):
    workspace.configure('[flows.f]\nsteps = ["last", "first"]\n[run]\njobs = 2\n', language="zh")
    workspace.notebook("first", NUMBER, MAKES)
    workspace.notebook(
        "last", "rows = step.result('first', 'rows')\nn = step.result('first', 'n')",
        "step.number('sum', rows.v.sum() + n, label='Sum', text='sum')", more=', results={"first": ["rows", "n"]}',
    )  # fmt: skip
    record = launch.start("f", given={"n": "5", "last.language": "en"})
    assert record["status"] == "ok"
    steps = _by_name(record)
    assert steps["last"]["started"] >= steps["first"]["finished"]
    assert (steps["first"]["language"], steps["last"]["language"]) == ("zh", "en")
    manifest = json.loads(Path(record["folder"], "results/last/manifest.json").read_text())
    assert manifest["numbers"][0]["value"] == 11
    assert steps["first"]["parameters"] == {"language": "zh", "n": 5}
    stored = json.loads(Path(record["folder"], "run.json").read_text())
    assert stored["status"] == "ok" and stored["inputs"] == {} and "pandas" in stored["versions"]
    assert not list(workspace.reports.glob("**/.partial-*")) and not list(workspace.reports.glob(".locks/*"))


def test_independent_steps_run_side_by_side(workspace, tmp_path):
    workspace.configure('[flows.f]\nsteps = ["a", "b"]\n')
    meet = (
        "import pathlib, time\n"
        "here = pathlib.Path({folder!r})\n(here / {me!r}).touch()\n"
        "end = time.monotonic() + 30\n"
        "while not (here / {other!r}).exists() and time.monotonic() < end:\n    time.sleep(0.05)\n"
        "assert (here / {other!r}).exists()"
    )
    workspace.notebook("a", meet.format(folder=str(tmp_path), me="ma", other="mb"))
    workspace.notebook("b", meet.format(folder=str(tmp_path), me="mb", other="ma"))
    assert launch.start("f", jobs=2)["status"] == "ok"


def test_a_failed_step_skips_those_that_need_it_and_not_those_that_may_use_it(workspace):
    workspace.configure('[flows.f]\nsteps = ["bad", "needs", "uses"]\n')
    workspace.notebook("bad", "raise ValueError('no')")
    workspace.notebook("needs", more=', results={"bad": ["x"]}')
    workspace.notebook("uses", "assert not step.has('bad', 'x')", more=', optional_results={"bad": ["x"]}')
    record = launch.start("f")
    steps = _by_name(record)
    assert record["status"] == "failed"
    assert {name: step["status"] for name, step in steps.items()} == {"bad": "failed", "needs": "skipped", "uses": "ok"}
    assert record["error"]["notebook"] == "bad" and record["error"]["cell"] == 3
    assert "needs bad" in steps["needs"]["error"]["message"]
    assert Path(record["folder"], "bad.ipynb").is_file()


def test_pages_of_a_failed_run_are_in_the_language_that_was_asked_for(workspace):
    """A step that fails leaves no manifest: what was asked for is in its parameters."""
    workspace.configure('[flows.f]\nsteps = ["deal_postmortem", "needs"]\n')
    workspace.notebook("deal_postmortem", "raise ValueError('no')")
    workspace.notebook("needs", more=', results={"deal_postmortem": ["x"]}')
    for language, headline in (("zh", "商机复盘失败"), ("en", "Deal postmortem failed")):
        record = launch.start("f", given={"language": language})
        folder = Path(record["folder"])
        render_run(folder)
        pages = {name: (folder / f"{name}.html").read_text("utf-8") for name in ("deal_postmortem", "needs", "index")}
        assert all(f'<html lang="{language}' in text for text in pages.values())
        assert headline in pages["deal_postmortem"]
    assert "which did not succeed" in pages["needs"]
    workspace.configure("", language="zh")
    record = launch.start("deal_postmortem", given={"language": "en"})
    assert '<html lang="en"' in render_run(record["folder"]).read_text("utf-8")


@pytest.mark.parametrize(
    ("target", "given", "words"),
    [
        ("firts", {}, "Did you mean 'first'"),
        ("first", {"m": 1}, "first has no parameter 'm'"),
        ("first", {"languge": "zh"}, "Did you mean 'language'"),
        ("first", {"n": "x"}, "is not a whole number"),
        ("f", {"secnd.n": 1}, "Did you mean 'second'"),
        ("f", {"q": 1}, "no notebook of this flow has the parameter 'q'"),
        ("second", {}, "Run 'planning run first' first"),
        ("circle", {}, "in a circle"),
        ("no/such.ipynb", {}, "no such notebook"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(workspace, target, given, words):
    workspace.configure('[flows.f]\nsteps = ["first", "second"]\n[flows.circle]\nsteps = ["x", "y"]\n')
    workspace.notebook("first", NUMBER)
    workspace.notebook("second", more=', results={"first": ["n"]}')
    workspace.notebook("x", more=', results={"y": ["n"]}')
    workspace.notebook("y", more=', results={"x": ["n"]}')
    with pytest.raises(UsageError, match=words):
        launch.start(target, given=given)
    assert not workspace.reports.exists()


def test_begin_takes_literals_and_its_own_name(workspace):
    path = workspace.notebook("a", more=', tables=[name for name in "x"]')
    with pytest.raises(ConfigError, match="no literal"):
        declaration.read(path)
    path = workspace.notebook("a", more=', tabels=["sales"]')
    with pytest.raises(ConfigError, match="no argument 'tabels'"):
        declaration.read(path)
    workspace.notebook("a").rename(workspace.root / "notebooks" / "b.ipynb")
    with pytest.raises(ConfigError, match="begin names 'a', the file is 'b'"):
        declaration.read(workspace.root / "notebooks" / "b.ipynb")


def test_undeclared_reading_is_refused_and_an_unfinished_notebook_fails(workspace):
    workspace.notebook("a", "step.table('sales')")
    assert "did not declare the table 'sales'" in launch.start("a")["error"]["message"]
    workspace.notebook("b", "step.path('forecasts')")
    assert "did not declare the file 'forecasts'" in launch.start("b")["error"]["message"]
    workspace.notebook("c", whole=False)
    assert "did not reach step.finish()" in launch.start("c")["error"]["message"]


def test_unchanged_steps_are_reused_and_any_change_runs_them_again(workspace):
    workspace.configure('[flows.f]\nsteps = ["first", "second"]\n')
    extra = workspace.root / "notes.csv"
    extra.write_text("a\n1\n")
    workspace.notebook("first", NUMBER, MAKES, more=', files=["notes.csv"]')
    workspace.notebook("second", more=', results={"first": ["rows"]}')

    def statuses(**options):
        return {step["notebook"]: step["status"] for step in launch.start("f", **options)["steps"]}

    assert statuses() == {"first": "ok", "second": "ok"}
    again = launch.start("f")
    assert {s["status"] for s in again["steps"]} == {"reused"} and "unchanged" in again["steps"][0]["reason"]
    assert Path(again["folder"], "results/first/tables/rows.parquet").is_file()
    assert statuses(given={"first.n": "4"}) == {"first": "ok", "second": "ok"}
    extra.write_text("a\n2\n")
    # The first runs again; its results are the same ones, so what follows from them is too.
    assert statuses() == {"first": "ok", "second": "reused"}
    assert statuses(force=True) == {"first": "ok", "second": "ok"}


def test_a_step_is_reused_only_while_the_plan_it_made_stands(workspace):
    """A base plan, another one, the base again: its version is current again; a person's change is left alone."""
    keep = (
        "from planning import files\n"
        "folder = step.root / 'plans' / '2027'\nfolder.mkdir(parents=True, exist_ok=True)\n"
        "made = files.keep_version(folder, {'n': step.parameters.n, 'cause': step.notebook})\n"
        "step.keeps(folder, made.stem)"
    )
    workspace.notebook("first", keep)
    plans = workspace.root / "plans" / "2027"

    def run(n):
        status = launch.start("first", given={"n": n})["steps"][0]["status"]
        return status, files.read_version(plans)[1]["n"]

    assert [run(1), run(1), run(2), run(1), run(1)] == [("ok", 1), ("reused", 1), ("ok", 2), ("ok", 1), ("reused", 1)]
    files.keep_version(plans, {"n": 7, "cause": "workbook"})
    assert run(1) == ("reused", 7), "what a person changed is not undone by a run that had nothing to do"
    shutil.rmtree(plans)
    assert run(1) == ("ok", 1)


def test_a_what_if_is_kept_and_never_becomes_the_plan_that_counts(workspace):
    """What a scenario, --what-if or a panel asks for; what is given by -p, by schedules and workbench.toml counts."""
    keep = (
        "from planning import files\n"
        "folder = step.root / 'plans' / '2027'\nfolder.mkdir(parents=True, exist_ok=True)\n"
        "content = {'n': step.parameters.n, 'cause': step.notebook}\n"
        "made = files.keep_version(folder, content, current=not step.what_if)\nstep.keeps(folder, made.stem)"
    )
    workspace.notebook("first", keep)
    plans = workspace.root / "plans" / "2027"

    def run(trigger="notebook", **options):
        record = launch.start("first", trigger=trigger, **options)
        step = record["steps"][0]
        return record, step["status"], files.read_version(plans)[1]["n"], step.get("what_if")

    assert run()[1:] == ("ok", 3, None)
    record, *found = run(given={"n": 5})
    kept = found[2]
    assert found[:2] == ["ok", 3] and list(kept) == ["plans/2027"] and record["what_if"]
    assert files.read_version(plans, kept["plans/2027"])[1]["n"] == 5
    page = render_run(record["folder"]).read_text("utf-8")
    assert "the plan that counts stays as it was" in page and f"planning plans --adopt {kept['plans/2027']}" in page
    assert "stays as it was" in Path(record["folder"], "first.html").read_text("utf-8")
    assert registry.latest_results(workspace.reports, "first").parts[-3] != record["id"], "nor the latest result"
    assert run(given={"n": 5})[1:] == ("reused", 3, kept)
    assert run(given={"n": 6}, trigger="hand", what_if=True)[1:3] == ("ok", 3)
    assert run()[1:] == ("reused", 3, None), "the plan that counts was never replaced"
    assert run(given={"language": "zh"})[1:] == ("ok", 3, None)
    assert run(given={"n": 5}, trigger="schedule:monday")[1:] == ("ok", 5, None), "a what-if does not stand for a plan"
    assert run(given={"n": 5})[1:] == ("reused", 5, None), "the same plan that counts is no what-if"
    assert run(given={"n": 8}, trigger="hand")[1:] == ("ok", 8, None)


def test_no_later_run_goes_on_from_a_what_if_that_kept_no_version(workspace):
    workspace.configure('[flows.f]\nsteps = ["first", "last"]\n')
    workspace.notebook("first", NUMBER)
    takes = "step.number('said', step.result('first', 'n'), label='n', text='n')"
    workspace.notebook("last", takes, more=', results={"first": ["n"]}')

    record = launch.start("f", given={"first.n": 5}, what_if=True)
    assert record["status"] == "ok", "within the what-if its own results are used"
    assert run_command.what_if_lines(record) == [
        "what if: the plan that counts stays as it was, and no later run goes on from these results."
    ]
    pages = [render_run(record["folder"]), *(Path(record["folder"], f"{name}.html") for name in ("first", "last"))]
    assert all("A what-if: the plan that counts stays as it was" in page.read_text("utf-8") for page in pages)
    with pytest.raises(UsageError, match="first, which has no finished run that counts. Run 'planning run first'"):
        launch.start("last")
    counts = launch.start("first")
    assert run_command.what_if_lines(counts) == []
    assert "A what-if" not in render_run(counts["folder"]).read_text("utf-8")
    launch.start("first", given={"n": 7}, what_if=True)
    assert emit.load_result(Path(launch.start("last")["folder"], "results", "last"), "said") == 3


def test_after_an_adoption_later_runs_go_on_from_the_results_of_that_version(workspace):
    """The notebook that kept the version, and what it rests on; what else the what-if made stays beside."""
    keep = (
        "from planning import files\nn = step.result('base', 'n')\n"
        "folder = step.root / 'plans' / '2027'\nfolder.mkdir(parents=True, exist_ok=True)\n"
        "made = files.keep_version(folder, {'n': n, 'cause': step.notebook}, current=not step.what_if)\n"
        "step.keeps(folder, made.stem)"
    )
    workspace.configure('[flows.f]\nsteps = ["base", "plan", "other"]\n')
    workspace.notebook("base", NUMBER)
    workspace.notebook("plan", keep, more=', results={"base": ["n"]}')
    workspace.notebook("other", NUMBER)
    plans = workspace.root / "plans" / "2027"

    def from_runs():
        return [registry.latest_results(workspace.reports, name).parts[-3] for name in ("base", "plan", "other")]

    first = launch.start("f")
    what_if = launch.start("f", given={"n": 5}, what_if=True)
    assert from_runs() == [first["id"]] * 3
    version = _by_name(what_if)["plan"]["what_if"]["plans/2027"]
    files.keep_version(plans, files.read_version(plans, version)[1])
    assert from_runs() == [what_if["id"], what_if["id"], first["id"]]
    files.keep_version(plans, {"n": 9, "cause": "a person"})
    assert from_runs() == [first["id"]] * 3
    later = launch.start("f", given={"n": 8})
    assert from_runs() == [later["id"]] * 3
    files.keep_version(plans, {"n": 3, "cause": "plan"})
    assert from_runs() == [later["id"], first["id"], later["id"]], "an earlier plan made current again"


def test_numbers_of_a_plan_that_a_person_replaced_say_so(workspace):
    keep = (
        "from planning import files\nfolder = step.root / 'plans' / '2027'\nfolder.mkdir(parents=True, exist_ok=True)\n"
        "made = files.keep_version(folder, {'n': 3, 'cause': step.notebook})\nstep.keeps(folder, made.stem)\n"
        "step.number('n', 3, label='n', text='n')"
    )
    workspace.configure('[flows.f]\nsteps = ["plan", "last"]\n')
    workspace.notebook("plan", keep)
    workspace.notebook("last", "step.result('plan', 'n')", more=', results={"plan": ["n"]}')
    plans = workspace.root / "plans" / "2027"
    first = launch.start("f")
    assert not any(step["replaced"] for step in first["steps"]) and run_command.replaced_lines(first) == []
    used = files.current_version(plans)
    files.keep_version(plans, {"n": 9, "cause": "a person"})
    now = files.current_version(plans)
    alone = launch.start("last")
    assert run_command.replaced_lines(alone) == [f"plans/2027: the numbers are of version {used}; {now} counts now."]
    told = f"The numbers are of version {used} of plans/2027, which was replaced: {now} counts."
    assert told in render_run(alone["folder"]).read_text("utf-8")
    assert told in Path(alone["folder"], "last.html").read_text("utf-8")
    flow = launch.start("f")
    assert [(step["status"], list(step["replaced"])) for step in flow["steps"]] == [("reused", ["plans/2027"])] * 2


def test_steps_that_start_together_all_find_what_may_be_reused(workspace, monkeypatch):
    workspace.configure('[flows.f]\nsteps = ["a", "b", "c"]\n[run]\njobs = 3\n')
    for name in "abc":
        workspace.notebook(name)
    launch.start("f")
    read = registry.read
    monkeypatch.setattr(registry, "read", lambda folder: time.sleep(0.2) or read(folder))
    assert [step["status"] for step in launch.start("f")["steps"]] == ["reused"] * 3


def test_no_run_changes_the_working_folder_which_all_threads_share(workspace, monkeypatch):
    """papermill did so at each read and write; two side by side left it where an earlier run had been."""
    workspace.configure('[flows.f]\nsteps = ["a", "b"]\n[run]\njobs = 2\n')
    for name in "ab":
        workspace.notebook(name)
    gone, go = [], os.chdir
    monkeypatch.setattr(os, "chdir", lambda folder: (gone.append(folder), go(folder)))
    assert launch.start("f")["status"] == "ok"
    assert gone == []


def test_results_that_were_touched_are_not_reused(workspace):
    workspace.notebook("first", NUMBER, MAKES)
    record = launch.start("first")
    Path(record["folder"], "results/first/tables/rows.csv").write_text("k,v\na,9\n")
    assert launch.start("first")["steps"][0]["status"] == "ok"


def test_resume_goes_on_from_what_had_finished(workspace):
    workspace.configure('[flows.f]\nsteps = ["first", "second"]\n')
    workspace.notebook("first", NUMBER)
    workspace.notebook("second", "raise ValueError('no')", more=', results={"first": ["n"]}')
    failed = launch.start("f", given={"first.n": "7"})
    workspace.notebook("second", "assert step.result('first', 'n') == 7", more=', results={"first": ["n"]}')
    record = launch.resume("latest")
    assert record["status"] == "ok" and record["trigger"] == f"resume:{failed['id']}"
    assert {name: step["status"] for name, step in _by_name(record).items()} == {"first": "reused", "second": "ok"}
    with pytest.raises(UsageError, match="nothing to go on with"):
        launch.resume(record["id"])


def test_two_runs_at_once_never_meet(workspace):
    workspace.notebook("first", NUMBER, MAKES)
    records = []
    threads = [threading.Thread(target=lambda: records.append(launch.start("first", force=True))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record["status"] for record in records] == ["ok", "ok"]
    assert len(registry.folders(workspace.reports)) == 2


def test_secrets_never_reach_the_run_folder(workspace, monkeypatch):
    canary = "canary-7f3a-%secret"
    monkeypatch.setenv("SMTP_PASSWORD", canary)
    workspace.configure('[delivery]\nsmtp_host = "localhost"\nsmtp_password = "${SMTP_PASSWORD}"\n')
    workspace.notebook(
        "leaky", "import os\nprint(os.environ['SMTP_PASSWORD'])\nstep.text('t', os.environ['SMTP_PASSWORD'])",
        "raise ValueError(os.environ['SMTP_PASSWORD'])",
    )  # fmt: skip
    record = launch.start("leaky")
    found = [p for p in Path(record["folder"]).rglob("*") if p.is_file() and canary.encode() in p.read_bytes()]
    assert found == [] and canary not in json.dumps(record)
    assert "***" in record["error"]["message"]


def test_by_hand_the_same_cells_work_and_read_the_latest_run(workspace):
    workspace.notebook("first", NUMBER)
    second = workspace.notebook("second", "n = step.result('first', 'n')", more=', results={"first": ["n"]}')

    def by_hand(path):
        names = {}
        for cell in json.loads(path.read_text())["cells"]:
            exec(cell["source"], names)
        return names

    with pytest.raises(NotebookError, match="planning run first"):
        by_hand(second)
    by_hand(workspace.root / "notebooks" / "first.ipynb")
    assert by_hand(second)["n"] == 3
    launch.start("first", given={"n": 8})
    assert by_hand(second)["n"] == 8
    assert (layout.by_hand(workspace.root, "second") / "manifest.json").is_file()


def test_a_table_is_read_once_a_run_and_anew_in_the_next(workspace):
    """The second notebook gets the rows of the first though the file changed meanwhile; a new run reads the file."""
    sales = workspace.root / "sales.csv"
    workspace.configure(
        '[flows.f]\nsteps = ["first", "second"]\n[run]\njobs = 1\n[sources.sales]\npath = "sales.csv"\n'
    )
    line = "2026-01-01,North,Pumps,OEM,5.5\n"
    sales.write_text("ds,region,line,customer_type,amount\n" + line)
    see = "f = step.table('sales')\nstep.number('{n}', float(f.amount.sum()), label='x', text=f.attrs['label'])\n"
    see += "assert f.dtypes['ds'].kind == 'M' and f.attrs['warnings'] == [] and f.copy().attrs == f.attrs"
    change = f"open({str(sales)!r}, 'a').write('2026-02-01,North,Pumps,OEM,1\\n')"
    workspace.notebook("first", see.format(n="a"), change, more=', tables=["sales"]')
    workspace.notebook("second", see.format(n="b"), more=', tables=["sales"], optional_results={"first": ["a"]}')
    for total in (5.5, 6.5):
        record = launch.start("f", force=True)
        said = {n["name"]: n["value"] for step in record["steps"] for n in step.get("numbers", ())}
        assert record["status"] == "ok", record["error"]
        assert said == {"a": total, "b": total}


def test_a_check_of_all_tables_reads_them_for_the_run(workspace):
    """Later notebooks take the rows of tables without a fault from the check, and see the faults of the others."""
    sales, spend = workspace.root / "sales.csv", workspace.root / "spend.csv"
    sales.write_text("ds,region,line,customer_type,amount\n2026-01-01,North,Pumps,OEM,5.5\n")
    spend.write_text("ds,region,line,amount\n2026-01-01,North,Tools,much\n")
    workspace.configure(
        '[flows.f]\nsteps = ["first", "second"]\n[run]\njobs = 1\n'
        '[sources.sales]\npath = "sales.csv"\n[sources.spend]\npath = "spend.csv"\n'
    )
    check = "found = step.check_tables()\nstep.number('faults', found.counts['faults'], label='x', text='x')\n"
    change = f"open({str(sales)!r}, 'a').write('2026-02-01,North,Pumps,OEM,1\\n')"
    workspace.notebook("first", check + change, more=', optional=["sales", "spend"]')
    see = "step.number('sum', float(step.table('sales').amount.sum()), label='x', text='x')"
    bad = "import pytest\nfrom planning.errors import DataError\nwith pytest.raises(DataError, match='much'):\n"
    bad += "    step.table('spend')"
    after = ', tables=["sales"], optional=["spend"], optional_results={"first": ["faults"]}'
    workspace.notebook("second", see, bad, more=after)
    record = launch.start("f", force=True)
    assert record["status"] == "ok", record["error"]
    said = {n["name"]: n["value"] for step in record["steps"] for n in step.get("numbers", ())}
    assert said == {"faults": 1, "sum": 5.5}
    workspace.notebook("first", "step.check_tables()", more=', optional=["sales"]')
    record = launch.start("first")
    assert record["status"] == "failed" and "did not declare the table 'spend'" in record["error"]["message"]


def test_data_check_declares_every_table_there_is():
    from planning.tables.schema import table_names

    notebook = Path(__file__).resolve().parents[2] / "notebooks" / "data_check.ipynb"
    assert set(declaration.read(notebook).optional) == set(table_names())


def test_a_locked_reports_folder_is_one_line(workspace):
    workspace.notebook("first", NUMBER)
    workspace.reports.write_text("a file where the folder should be")
    with pytest.raises(UsageError, match="runs cannot be written there"):
        launch.start("first")


def test_prune_keeps_the_last_good_run_of_each_flow(workspace):
    import datetime as dt

    workspace.notebook("first", NUMBER)
    runs = [launch.start("first", force=True) for _ in range(2)]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=40)
    removed = housekeeping.prune(workspace.reports, housekeeping.seconds_of("30d"), now=later)
    oldest = min(run["id"] for run in runs)
    assert [path.name for path in removed["folders"]] == [oldest]
    assert [record["id"] for record in registry.runs(workspace.reports)] == [max(run["id"] for run in runs)]
    with pytest.raises(UsageError, match="such as 30d"):
        housekeeping.seconds_of("30 days")


def test_prune_keeps_the_last_run_that_counts_beside_a_later_what_if(workspace):
    workspace.notebook("first", NUMBER)
    runs = [launch.start("first", given={"n": n}, what_if=n > 5) for n in (4, 5, 6, 7)]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=40)
    housekeeping.prune(workspace.reports, housekeeping.seconds_of("30d"), now=later)
    assert [record["id"] for record in registry.runs(workspace.reports)] == [runs[3]["id"], runs[1]["id"]]


def test_a_run_is_found_by_part_of_its_id(workspace):
    workspace.notebook("first", NUMBER)
    record = launch.start("first")
    for wanted in ("latest", "first/latest", record["id"], record["id"][-6:], f"first/{record['id']}"):
        assert registry.find(workspace.reports, wanted)["id"] == record["id"]
    with pytest.raises(UsageError, match="there is no run 'zzz'"):
        registry.find(workspace.reports, "zzz")


def test_a_step_is_tried_again_for_the_causes_that_are_named(workspace, tmp_path):
    mark = tmp_path / "mark"
    cell = (
        "import os, pathlib, signal\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists():\n    mark.touch()\n    os.kill(os.getpid(), signal.SIGKILL)"
    )
    workspace.notebook("flaky", cell)
    workspace.configure("[run]\nretries = 1\nbackoff = 0.01\n")
    record = launch.start("flaky")
    assert record["status"] == "ok" and record["steps"][0]["attempts"] == 2
    assert "attempt 1 died" in record["steps"][0]["warnings"][0]
    workspace.notebook("wrong", "raise ValueError('no')")
    assert launch.start("wrong")["steps"][0]["attempts"] == 1


def test_a_cell_s_time_is_limited_by_the_settings_too(workspace):
    workspace.configure("[run]\ncell_timeout = 1\n")
    workspace.notebook("slow", "import time\ntime.sleep(60)")
    record = launch.start("slow")
    assert record["status"] == "timeout"
    assert "the cell ran longer than 1 seconds" in record["error"]["message"]
    assert "[run] cell_timeout" in record["error"]["message"]


def test_ids_of_one_second_sort_in_their_order():
    moments = [dt.datetime(2027, 1, 8, 9, 30, 0, part, dt.UTC) for part in (0, 250, 90_000, 999_999)]
    ids = [layout.new_run_id(moment) for moment in moments]
    assert ids == sorted(ids) and all(re.fullmatch(r"20270108T093000Z-[0-9a-f]{6}", one) for one in ids)
    assert len({layout.new_run_id(moments[0]) for _ in range(20)}) > 10
