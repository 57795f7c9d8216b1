import json
import os

import pandas as pd
import pytest

from planning import files
from planning.errors import UsageError


def leftovers(folder):
    return [path.name for path in folder.iterdir() if "partial" in path.name]


def test_an_error_leaves_the_old_file_and_no_rubbish(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_full_disk_is_one_line_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")

    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UsageError, match="No space left on device"):
        files.write_text(path, "new")
    assert path.read_text() == "old"
    assert not leftovers(tmp_path)


def test_a_folder_is_replaced_whole(tmp_path):
    for names in (["one", "two"], ["three"]):
        with files.atomic_folder(tmp_path / "plan") as folder:
            for name in names:
                (folder / name).write_text(name)
    assert [path.name for path in (tmp_path / "plan").iterdir()] == ["three"]
    with pytest.raises(ValueError), files.atomic_folder(tmp_path / "plan") as folder:
        raise ValueError
    assert [path.name for path in (tmp_path / "plan").iterdir()] == ["three"]
    assert os.listdir(tmp_path) == ["plan"]


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        files.write_text(tmp_path / "missing" / "a.txt", "x")
    with pytest.raises(UsageError, match="is a folder"):
        files.write_text(tmp_path, "x")
    with pytest.raises(UsageError, match=r"Name a \.csv or \.parquet"):
        files.write_table(tmp_path / "a.pdf", pd.DataFrame())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_comes_back_as_it_was(tmp_path, suffix):
    frame = pd.DataFrame({"id": ["00123", "客户"], "x": [1.5, 2.25]})
    path = tmp_path / f"t{suffix}"
    files.write_table(path, frame)
    back = pd.read_csv(path, dtype={"id": str}) if suffix == ".csv" else pd.read_parquet(path)
    pd.testing.assert_frame_equal(back, frame)


def test_json_is_readable_and_refuses_nan(tmp_path):
    files.write_json(tmp_path / "a.json", {"客户": 1.5})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"客户": 1.5}
    with pytest.raises(ValueError):
        files.write_json(tmp_path / "a.json", {"x": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"客户": 1.5}


def test_hash_of_a_frame_sees_values_names_and_types_but_not_the_index():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    same = frame.set_axis([5, 9])
    assert files.sha256_frame(frame) == files.sha256_frame(same)
    others = [frame.assign(a=[1, 3]), frame.rename(columns={"a": "c"}), frame.astype({"a": float}), frame.iloc[::-1]]
    assert len({files.sha256_frame(other) for other in [frame, *others]}) == 5
