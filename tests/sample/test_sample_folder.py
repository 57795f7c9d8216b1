"""The sample's folder: same seed, same bytes; whole or not at all; nobody else's files are touched."""

import json
import tomllib

import pandas as pd
import pytest
from click.testing import CliRunner

from planning import sample
from planning.cli.sample import command
from planning.errors import UsageError
from planning.files import sha256_file

SCALE = 0.1


def content(folder):
    return {p.relative_to(folder).as_posix(): sha256_file(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def test_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path):
    sample.write(tmp_path / "a", seed=3, scale=SCALE)
    sample.write(tmp_path / "b", seed=3, scale=SCALE)
    sample.write(tmp_path / "c", seed=4, scale=SCALE)
    first = content(tmp_path / "a")
    assert first == content(tmp_path / "b")
    other = content(tmp_path / "c")
    assert [name for name in ("sales.csv", "deals.csv", "spend.csv") if first[name] == other[name]] == []


def test_writes_every_table_its_truth_and_returns_what_it_wrote(tmp_path):
    rows = sample.write(tmp_path / "s", scale=SCALE)
    assert list(rows["table"]) == list(sample.TABLES)
    for row in rows.itertuples():
        path = tmp_path / "s" / f"{row.table}.csv"
        assert (len(pd.read_csv(path)), sha256_file(path)) == (row.rows, row.sha256)
    marker = json.loads((tmp_path / "s" / "truth" / "sample.json").read_text("utf-8"))
    assert marker["tables"]["sales"]["sha256"] == rows["sha256"].iloc[0]
    families = tomllib.loads((tmp_path / "s" / "truth" / "families.toml").read_text("utf-8"))
    assert set(families) == {"market", "product", "price", "skill", "customer", "known_at"}


def test_the_files_are_utf8_with_plain_line_ends_and_iso_days(tmp_path):
    sample.write(tmp_path / "s", scale=SCALE)
    raw = (tmp_path / "s" / "accounts.csv").read_bytes()
    assert b"\r" not in raw
    names = pd.read_csv(tmp_path / "s" / "accounts.csv")["name"]
    assert 'A&B <Tools> "GmbH"' in set(names)
    assert names.str.contains("有限公司").any()
    days = pd.read_csv(tmp_path / "s" / "deals.csv")["created_date"]
    assert days.str.fullmatch(r"\d{4}-\d\d-\d\d").all()


def test_replaces_its_own_folder_and_keeps_the_place_holder(tmp_path):
    folder = tmp_path / "s"
    folder.mkdir()
    (folder / ".gitkeep").write_text("")
    sample.write(folder, seed=1, scale=SCALE)
    before = content(folder)
    sample.write(folder, seed=2, scale=SCALE)
    assert content(folder)["sales.csv"] != before["sales.csv"]
    assert (folder / ".gitkeep").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.parametrize("name", ["sales.csv", "notes.txt"])
def test_refuses_a_folder_with_files_that_are_not_its_own(tmp_path, name):
    (tmp_path / name).write_text("a company's own")
    with pytest.raises(UsageError, match=f"not the sample's \\({name}\\). Name an empty or a new folder"):
        sample.write(tmp_path, scale=SCALE)
    assert content(tmp_path).keys() == {name}


def test_refuses_a_file_a_missing_parent_and_impossible_numbers(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        sample.write(tmp_path / "file")
    with pytest.raises(UsageError, match="there is no such folder"):
        sample.write(tmp_path / "no" / "s")
    with pytest.raises(UsageError, match="scale 0: a number from"):
        sample.write(tmp_path / "s", scale=0)
    with pytest.raises(UsageError, match="seed -1"):
        sample.write(tmp_path / "s", seed=-1)
    assert not (tmp_path / "s").exists()


def test_a_full_disk_leaves_the_older_sample_whole(tmp_path, monkeypatch):
    folder = tmp_path / "s"
    sample.write(folder, seed=1, scale=SCALE)
    before = content(folder)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("planning.sample.folder.write_json", full)
    with pytest.raises(UsageError, match="No space left on device"):
        sample.write(folder, seed=2, scale=SCALE)
    assert content(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_the_command_prints_what_it_wrote_and_exits_2_on_wrong_use(tmp_path):
    done = CliRunner().invoke(command, [str(tmp_path / "s"), "--seed", "5", "--scale", str(SCALE), "--json"])
    assert done.exit_code == 0
    assert {row["table"] for row in json.loads(done.output)} == set(sample.TABLES)
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "sales.csv").write_text("mine")
    refused = CliRunner().invoke(command, [str(tmp_path / "t")])
    assert refused.exit_code == 2
    assert "planning sample data/sample" in CliRunner().invoke(command, ["--help"]).output
