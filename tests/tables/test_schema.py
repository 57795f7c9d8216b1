"""The fields as data: complete, consistent, bilingual, and the data dictionary made from them."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

import pytest

from planning.errors import UsageError
from planning.tables import fields, fields_for, key_of, table_names
from planning.tables.dictionary import COMMAND, markdown
from planning.tables.matching import fold
from planning.tables.schema import references, value_aliases

ROOT = Path(__file__).parents[2]
TYPES = {"id", "text", "choice", "number", "money", "integer", "rate", "flag", "date", "timestamp"}


@pytest.mark.parametrize("table", table_names())
def test_every_field_is_complete(table):
    names = [field.name for field in fields(table)]
    assert len(set(names)) == len(names)
    assert key_of(fields_for(table))
    for field in fields(table):
        assert field.type in TYPES
        assert field.description_en and re.search(r"[\u4e00-\u9fff]", field.description_zh), field.name
        assert field.unit or field.type in {"id", "text", "choice", "flag", "date"}, f"{field.name} has no unit"
        low, high, _open = field.bounds
        assert low < high
        for choice in field.choices:
            assert value_aliases(table, field.name)[choice] == choice


@pytest.mark.parametrize("table", table_names())
def test_most_fields_are_known_in_chinese(table):
    named = [field for field in fields(table) if any(re.search(r"[\u4e00-\u9fff]", alias) for alias in field.aliases)]
    assert len(named) >= 0.8 * sum(field.name not in {"close_date"} for field in fields(table))


@pytest.mark.parametrize("table", table_names())
def test_no_alias_of_one_field_is_the_name_of_another(table):
    names = {fold(field.name): field.name for field in fields(table)}
    allowed = {("closed_date", "close_date")}  # Salesforce's CloseDate is our closed_date
    for field in fields(table):
        for alias in field.aliases:
            other = names.get(fold(alias), field.name)
            assert other == field.name or (field.name, other) in allowed, f"{table}.{field.name}: {alias}"


def test_references_point_to_fields():
    for reference in references():
        assert reference.field in [field.name for field in fields(reference.table)]
        assert reference.to_field in [field.name for field in fields(reference.to_table)]
        assert reference.severity in {"fault", "warning"}


def test_the_keys_of_sales_follow_the_plan():
    two = fields_for("sales", ["region", "line"])
    assert key_of(two) == ["ds", "region", "line"]
    own = fields_for("sales", ["state", "industry"])
    assert key_of(own) == ["ds", "state", "industry"]
    assert not next(field for field in own if field.name == "region").required


def test_an_unknown_table_names_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'stage_history'?"):
        fields("stages_history")


def test_the_data_dictionary_is_up_to_date():
    kept = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    diff = "\n".join(list(difflib.unified_diff(kept.splitlines(), markdown().splitlines(), lineterm=""))[:40])
    assert kept == markdown(), f"data/README.md differs from the fields; run: {COMMAND}\n{diff}"
