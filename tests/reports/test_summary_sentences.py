import datetime as dt
import re

import pytest

from planning import language
from planning.reports import sentences, summary_sentences

COUNTS = {"tables": 12, "rows": 30_100, "faults": 0, "warnings": 0, "left_out": 0, "missing": 0}


@pytest.mark.parametrize(
    ("change", "en", "zh"),
    [
        ({}, "12 tables with 30\u202f100 rows can be planned from: no fault was found", "没有发现错误"),
        ({"tables": 1, "rows": 1}, "1 table with 1 row can be planned from: no fault was found", "1 张表、1 行"),
        ({"faults": 1}, "1 fault stops the plan; 12 tables were read", "1 个错误使计划无法进行"),
        ({"faults": 2, "missing": 1}, "3 faults stop the plan; 12 tables were read", "3 个错误"),
        ({"tables": 0, "rows": 0}, "No table is configured yet: there is nothing to plan from", "还没有配置任何表"),
    ],
)
def test_the_data_checks_answer(change, en, zh):
    assert sentences.data_check_answer(COUNTS | change) == en
    with language.use("zh"):
        assert zh in sentences.data_check_answer(COUNTS | change)


@pytest.mark.parametrize(
    ("change", "last", "en"),
    [
        ({}, None, "Nothing was left out and nothing looked odd."),
        ({}, dt.date(2026, 12, 1), "Nothing was left out and nothing looked odd. Sales are known to Dec 2026."),
        ({"warnings": 1}, None, "1 thing is worth a look."),
        ({"warnings": 3, "left_out": 1}, None, "3 things are worth a look; 1 row was left out and counted below."),
        ({"left_out": 1200}, None, "1\u202f200 rows were left out and counted below."),
    ],
)
def test_the_data_checks_lede(change, last, en):
    assert sentences.data_check_lede(COUNTS | change, last) == en
    with language.use("zh"):
        text = sentences.data_check_lede(COUNTS | change, last)
        assert text.endswith("。") and not re.search("[a-z]", text)


@pytest.mark.parametrize(
    ("faults", "warnings", "en"),
    [
        (1, 0, "1 fault has to be put right"),
        (2, 1, "2 faults have to be put right; 1 thing is worth a look"),
        (0, 4, "4 things are worth a look"),
    ],
)
def test_what_was_found(faults, warnings, en):
    assert sentences.faults_finding(faults, warnings)[0] == en


def test_tables_that_can_be_used():
    assert sentences.tables_finding(3, 3)[0] == "All 3 tables can be used"
    assert sentences.tables_finding(1, 1)[0] == "The 1 table can be used"
    assert sentences.tables_finding(0, 3)[0] == "0 of 3 tables can be used"


def test_a_missing_table_names_its_question_and_its_section_of_the_file():
    from planning.tables import table_names

    known = [name for name in table_names() if sentences.without_table(name)]
    assert {"deals", "spend", "capacity", "pilots"} <= set(known)
    assert all(f"[sources.{name}]" in sentences.without_table(name)[1] for name in known)
    with language.use("zh"):
        assert all(f"[sources.{name}]" in sentences.without_table(name)[1] for name in known)
        assert all(sentences.table_name(name) != name for name in table_names())


@pytest.mark.parametrize(
    ("done", "unsure", "en"),
    [
        (5, 0, "All 5 parts of the plan gave an answer"),
        (5, 1, "All 5 parts were run; 1 says that the data cannot tell"),
        (5, 2, "All 5 parts were run; 2 say that the data cannot tell"),
        (1, 0, "1 of 5 parts of the plan were run"),
    ],
)
def test_the_parts_of_a_plan(done, unsure, en):
    assert summary_sentences.parts_finding(done, unsure)[0] == en


def test_every_missing_part_leaves_a_question_and_a_command():
    for tongue in language.LANGUAGES:
        with language.use(tongue):
            lines = [summary_sentences.missing_part(name) for name in summary_sentences.PARTS]
            assert len({question for question, _how in lines}) == len(summary_sentences.PARTS)
            for (_question, how), name in zip(lines, summary_sentences.PARTS, strict=True):
                assert f"planning run {name}" in how


def test_alt_texts_say_the_figures():
    text = summary_sentences.fan_alt("€9 m", "€10 m", "€8 m", "€12 m")
    assert all(part in text for part in ("€9 m", "€10 m", "€8 m to €12 m"))
    assert (
        summary_sentences.rows_alt("Budget", [("Online", "€1 m"), ("Fairs", "€2 m")])
        == "Budget: Online €1 m and Fairs €2 m."
    )
