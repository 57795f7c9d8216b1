"""plan.xlsx out and back: nothing lost, every kind of damage named, nobody's edit overwritten silently."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import openpyxl
import pytest

from planning import language
from planning.errors import DataError, UsageError
from planning.reports.plan_workbook import read_workbook, writer
from planning.targets import merge, versions
from planning.targets.merge import MergeConflict

TARGET, NEW, JAN, REASON = 8, 9, 10, 22  # columns of the plan sheet with two keys


@pytest.fixture
def folder(tmp_path, plan):
    version = versions.record(plan)
    versions.save(tmp_path, version, plan.target.adjusted.joint)
    writer(plan, version)(tmp_path / "plan.xlsx")
    return tmp_path


def edited(folder, change, name="edited.xlsx"):
    book = openpyxl.load_workbook(folder / "plan.xlsx")
    change(book["Plan"])
    book.save(folder / name)
    return folder / name


def merged(folder, path):
    return merge.merge(read_workbook(path), versions.load(folder), lambda plan_id: versions.load(folder, plan_id))


def test_written_and_read_unchanged_changes_nothing(folder):
    result = merged(folder, folder / "plan.xlsx")
    assert result.changes.empty and result.notes == ()
    assert (result.months == versions.load(folder).months).all()


def test_the_sheet_opens_with_right_totals_without_calculating(folder, plan):
    book = openpyxl.load_workbook(folder / "plan.xlsx", data_only=True)
    total = book["Plan"].cell(5 + len(plan.cells), TARGET).value
    assert total == pytest.approx(plan.summary()["total"], abs=0.005)
    east = [cell.value for cell in book["By Region"][5]]
    assert sum(east[18:22]) == pytest.approx(east[3], abs=0.005) and sum(east[6:18]) == pytest.approx(
        east[3], abs=0.005
    )
    assert book["By Region"].cell(5, 4).value == pytest.approx(plan.by("region")["target"].iloc[0], abs=0.005)


def test_only_inputs_are_unlocked_and_sheets_are_protected(folder):
    sheet = openpyxl.load_workbook(folder / "plan.xlsx")["Plan"]
    assert sheet.protection.sheet and sheet.freeze_panes == "D5"
    assert not sheet.cell(5, JAN).protection.locked and not sheet.cell(5, REASON).protection.locked
    assert sheet.cell(5, TARGET).protection.locked and sheet.column_dimensions["A"].hidden
    assert sheet.data_validations.dataValidation[0].operator == "greaterThanOrEqual"


def test_edits_make_a_new_version_with_its_parent(folder):
    def change(sheet):
        sheet.cell(5, JAN).value = 12345.67
        sheet.cell(5, REASON).value = "new store"
        sheet.cell(6, NEW).value = 2_000_000
        sheet.cell(6, REASON).value = "agreed"

    before = versions.load(folder)
    result = merged(folder, edited(folder, change))
    plan, version = merge.apply(result, folder, author="Head of East")
    versions.save(folder, version)
    after = versions.load(folder)
    assert after.parent == before.plan_id and after.author == "Head of East"
    assert after.months[0, 0] == 1234567 and after.months[1].sum() == 200_000_000
    assert (after.months[2:] == before.months[2:]).all()
    assert plan.summary()["total"] == after.minor.sum() / 100
    table = versions.diff(before, after)
    assert table.iloc[0]["level"] == "total" and set(table["reason"]) >= {"new store", "agreed"}
    assert table[table["level"] == "cell"]["change"].sum() == pytest.approx(table.iloc[0]["change"])


def faulty(sheet):
    def put(row, column, value):
        sheet.cell(row, column).value = value
        sheet.cell(row, REASON).value = "why not"

    put(5, JAN, "=1+1")
    put(6, JAN, -3)
    put(7, JAN, 1.234)
    put(8, JAN, "12x")
    put(9, 2, "Elsewhere")
    put(10, 1, "East/Bolts")
    sheet.cell(11, JAN).value = 7
    put(12, JAN, None)
    for column in range(1, REASON + 1):
        sheet.cell(17, column).value = sheet.cell(13, column).value


def test_every_damage_is_named_and_nothing_is_applied(folder):
    before = versions.load(folder)
    with pytest.raises(DataError) as caught:
        merged(folder, edited(folder, faulty))
    text = str(caught.value)
    for words in ("formula '=1+1'", "found -3", "found 1.234", "'12x'", "Elsewhere", "no cell 'East/Bolts'",
                  "without a reason", "is empty", "stands in row"):  # fmt: skip
        assert words in text, words
    assert len(caught.value.faults) == 9 and versions.load(folder).plan_id == before.plan_id


def test_text_numbers_lost_rows_overwritten_sums_and_order_survive(folder):
    def change(sheet):
        sheet.cell(5, JAN).value = "20000.50"
        sheet.cell(5, REASON).value = "typed as text"
        sheet.cell(7, TARGET).value = 1
        rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=8, max_row=16)]
        for offset, values in enumerate([*rows[::-1][1:], [None] * len(rows[0])]):
            for column, value in enumerate(values, start=1):
                sheet.cell(8 + offset, column).value = value
        sheet.column_dimensions["F"].hidden = True

    result = merged(folder, edited(folder, change))
    assert result.months[0, 0] == 2000050 and len(result.changes) == 1
    assert any("read as a number" in note for note in result.notes)
    assert any("counts as unchanged" in note for note in result.notes)
    assert any("sums were overwritten" in note for note in result.notes)


def test_two_people_on_one_cell_is_a_conflict_and_on_two_is_none(folder):
    def first(sheet):
        sheet.cell(5, JAN).value = 100
        sheet.cell(5, REASON).value = "first"

    def second(sheet):
        sheet.cell(5, JAN).value = 200
        sheet.cell(5, REASON).value = "second"

    def elsewhere(sheet):
        sheet.cell(6, JAN).value = 300
        sheet.cell(6, REASON).value = "elsewhere"

    paths = {f.__name__: edited(folder, f, f"{f.__name__}.xlsx") for f in (first, second, elsewhere)}
    _plan, version = merge.apply(merged(folder, paths["first"]), folder)
    versions.save(folder, version)
    with pytest.raises(MergeConflict) as caught:
        merged(folder, paths["second"])
    assert "200.00 in the workbook" in str(caught.value) and "(first)" in str(caught.value)
    assert caught.value.conflicts.shape[0] == 1
    result = merged(folder, paths["elsewhere"])
    assert result.months[0, 0] == 10000 and result.months[1, 0] == 30000


def test_a_workbook_of_another_plan_and_no_workbook_are_refused(folder, tmp_path):
    book = openpyxl.load_workbook(folder / "plan.xlsx")
    book["_plan"]["B1"] = "0123456789ab"
    book.save(folder / "stale.xlsx")
    with pytest.raises(DataError, match="0123456789ab"):
        merged(folder, folder / "stale.xlsx")
    (tmp_path / "no.xlsx").write_text("no workbook")
    with pytest.raises(DataError, match="no Excel workbook"):
        read_workbook(tmp_path / "no.xlsx")
    with pytest.raises(UsageError, match="is a folder"):
        read_workbook(tmp_path)


def test_versions_are_immutable_and_named_by_content(folder):
    version = versions.load(folder)
    path = folder / "versions" / f"{version.plan_id}.json"
    path.write_text(path.read_text().replace('"cause": "planned"', '"cause": "changed"'))
    with pytest.raises(DataError, match="immutable"):
        versions.load(folder)


def test_a_scenario_is_the_same_forecast_under_another_policy(folder):
    before = versions.load(folder)
    patches = [
        {"set": "target.target", "value": 0.7},
        {"add": "lock", "value": {"region": "East", "line": "Pumps", "amount": 1}},
    ]
    after = versions.scenario(folder, patches, cause="what if")
    assert after.parent == before.plan_id and after.summary["total"] < before.summary["total"]
    assert after.minor[(after.cells["unique_id"] == "East/Pumps").to_numpy()].tolist() == [100]
    with pytest.raises(UsageError, match="write"):
        versions.scenario(folder, [{"drop": "lock"}], cause="x")


def test_a_scenario_is_kept_beside_the_plan_that_counts_until_it_is_adopted(folder):
    from click.testing import CliRunner

    from planning.cli import group

    def plans(*words):
        return CliRunner().invoke(group, ["plans", str(folder), *map(str, words)])

    first = versions.load(folder)
    patches = folder / "higher.json"
    patches.write_text('[{"set": "target.target", "value": 0.7}]')
    made = plans("--scenario", patches, "--cause", "what if 70 %")
    assert made.exit_code == 0 and f"{first.plan_id} counts" in made.stderr
    assert versions.load(folder).plan_id == first.plan_id, "a what-if never becomes the plan that counts by itself"
    listed = versions.versions(folder)
    assert len(listed) == 2 and listed.set_index("plan_id")["current"].to_dict()[first.plan_id]
    other = next(one for one in listed["plan_id"] if one != first.plan_id)
    lost = plans("--adopt", other[:-1] + "z")
    assert lost.exit_code == 2 and f"Did you mean '{other}'" in lost.output and "See 'planning plans'" in lost.output
    taken = plans("--adopt", other[:8])
    assert taken.exit_code == 0 and f"version {other} counts now; it was {first.plan_id}." in taken.output
    assert versions.load(folder).plan_id == other
    versions.plan_of(folder, versions.load(folder))


def test_a_what_if_on_another_forecast_keeps_its_own_and_brings_it_along(folder, plan):
    """The plan that counts stays on its own forecast; an adopted what-if comes with the one it rests on."""
    import dataclasses

    joint = plan.target.adjusted.joint
    other = dataclasses.replace(joint, mean=joint.mean * 1.1)
    version = versions.record(plan, cause="what if: annual_targets")
    versions.save(folder, version, other, current=False)
    assert np.allclose(versions.outlook(folder, versions.load(folder)).mean, joint.mean)
    assert np.allclose(versions.outlook(folder, version).mean, other.mean)
    with pytest.raises(UsageError, match="no longer keeps. Run it again"):
        versions.adopt(folder, version.plan_id)  # its figures are not those of that forecast
    versions.save(folder, version, joint, current=False)
    assert not (folder / "outlooks").exists(), "the same forecast is not kept twice"
    assert versions.adopt(folder, version.plan_id).plan_id == versions.load(folder).plan_id == version.plan_id


def test_a_workspace_keeps_a_what_if_beside_its_plan(tmp_path, plan):
    import dataclasses

    from planning.targets import workspace

    first = workspace.keep(tmp_path, plan, cause="annual_targets")
    again = workspace.keep(tmp_path, plan, cause="annual_targets", what_if=True)
    assert again.plan_id == first.plan_id, "the same plan is no what-if"
    higher = dataclasses.replace(plan, months=plan.months.assign(minor=plan.months["minor"] + 100))
    kept = workspace.keep(tmp_path, higher, cause="annual_targets", what_if=True)
    assert (kept.parent, kept.cause) == (first.plan_id, "what if: annual_targets")
    assert versions.load(tmp_path).plan_id == first.plan_id
    empty = tmp_path / "new"
    empty.mkdir()
    workspace.keep(empty, plan, cause="annual_targets", what_if=True)
    assert versions.versions(empty)["current"].tolist() == [False]
    with pytest.raises(UsageError, match="none that counts.*--adopt"):
        versions.load(empty)


def test_a_file_saved_by_libreoffice_reads_the_same(folder):
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed on this machine")
    out = folder / "office"
    words = [
        office,
        "--headless",
        f"-env:UserInstallation=file://{folder}/profile",
        "--convert-to",
        "xlsx",
        "--outdir",
        out,
    ]
    subprocess.run([*words, folder / "plan.xlsx"], check=True, capture_output=True, timeout=120)
    result = merged(folder, out / "plan.xlsx")
    assert result.changes.empty and np.array_equal(result.months, versions.load(folder).months)


def test_a_chinese_workbook_comes_back_the_same(folder, plan):
    version = versions.load(folder)
    with language.use("zh"):
        writer(plan, version)(folder / "zh.xlsx")
    book = openpyxl.load_workbook(folder / "zh.xlsx")
    assert book.sheetnames[0] == "摘要" and book["按区域"].protection.sheet
    assert merged(folder, folder / "zh.xlsx").changes.empty
