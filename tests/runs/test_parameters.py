"""Strict parameters: every row of what a line parser gets wrong, and what a person may type."""

from __future__ import annotations

import datetime as dt

import pytest

from planning.errors import ConfigError, UsageError
from planning.runs import parameters
from planning.runs.parameters import of_source, resolve

SOURCE = '''from __future__ import annotations
from datetime import date
from typing import Literal, Optional
horizon: int = 28  # days ahead
rate: float = .05
region: Literal["n", "s"] = "n"  # part of the country
stores: list[str] = ["a",
                     "b"]  # shops
text: str = "has # hash"  # after the hash
start: Optional[date] = date(2026, 1, 31)
end: date | None = None
flag: bool = True
'''


def test_a_cell_is_read_with_types_defaults_and_help():
    found = {p.name: p for p in of_source(SOURCE)}
    assert list(found) == ["horizon", "rate", "region", "stores", "text", "start", "end", "flag"]
    assert found["horizon"].default == 28 and found["horizon"].help == "days ahead"
    assert found["region"].kind.choices == ("n", "s") and found["region"].help == "part of the country"
    assert found["stores"].default == ["a", "b"] and found["stores"].help == "shops"
    assert found["text"].default == "has # hash" and found["text"].help == "after the hash"
    assert found["start"].default == "2026-01-31" and found["end"].default is None


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x = 3", "not a parameter"),
        ("x = y = 3", "not a parameter"),
        ("a, b = 1, 2", "not a parameter"),
        ("path: Path", "not a parameter"),
        ("if True:\n    nested: int = 4", "not a parameter"),
        ("path: Path = 'a'", "type Path is not known"),
        ("x: int = 'a'", "is not a whole number"),
        ("x: int = compute()", "is not a whole number"),
        ("x: int = 1\nx: int = 2", "declared twice"),
        ("x: int = ", "Write `name: type = value"),
    ],
)
def test_a_line_that_is_no_parameter_is_refused_with_its_place(line, words):
    with pytest.raises(ConfigError, match=words) as raised:
        of_source(line, "n.ipynb")
    assert "n.ipynb, parameters cell, line" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("horizon", "28", 28), ("horizon", 28.0, 28), ("rate", 1, 1.0), ("rate", "1e-3", 0.001), ("region", "s", "s"),
        ("stores", "a, c", ["a", "c"]), ("stores", '["x y", "z"]', ["x y", "z"]), ("text", "2024-01-01", "2024-01-01"),
        ("start", "2026-02-28", "2026-02-28"), ("start", dt.date(2026, 2, 28), "2026-02-28"), ("start", "", None),
        ("end", "none", None), ("flag", "no", False), ("flag", "true", True), ("text", "None", "None"),
    ],
)  # fmt: skip
def test_values_take_their_declared_type(name, given, value):
    got = resolve(of_source(SOURCE), {name: given}, "nb")[name]
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("horizon", "28.5", "is not a whole number"), ("horizon", True, "is not a whole number"),
        ("rate", "nan", "not finite"),
        ("rate", "inf", "not finite"), ("rate", "x", "is not a number"), ("region", "S", "Did you mean 's'"),
        ("region", "west", "one of: n, s"), ("start", "02/03/2026", "not ISO"), ("start", "2026-02-30", "no such day"),
        ("flag", "maybe", "true or false"), ("horizon", "", "whole number"), ("text", 3, "is not text"),
        ("start", dt.datetime(2026, 1, 1, 5), "has a time"),
    ],
)  # fmt: skip
def test_values_of_another_type_are_refused_with_an_example(name, given, words):
    with pytest.raises(UsageError, match=words) as raised:
        resolve(of_source(SOURCE), {name: given}, "nb")
    assert f"-p {name}=" in str(raised.value)


def test_an_unknown_name_is_refused_with_the_nearest_and_all_faults_come_at_once():
    with pytest.raises(UsageError) as raised:
        resolve(of_source(SOURCE), {"horizn": 3, "rate": "x"}, "nb")
    lines = str(raised.value).splitlines()
    assert len(lines) == 2
    assert "Did you mean 'horizon'?" in lines[0]


@pytest.mark.parametrize("pair", ["x", "=3", "x; import os; y=1", "a.b.c=1", "1a=2"])
def test_the_command_line_takes_names_only(pair):
    with pytest.raises(UsageError, match="Write -p name=value"):
        parameters.from_command_line([pair])
    with pytest.raises(UsageError, match="given twice"):
        parameters.from_command_line(["x=1", "x=2"])


def test_a_value_with_an_equal_sign_stays_whole():
    assert parameters.from_command_line(["x=a=b", "nb.y="]) == {"x": "a=b", "nb.y": ""}
