"""workbench.toml: strict keys and types, every mistake at once with the nearest key, secrets that never show."""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path

import pytest

from planning.config import Settings, find, load, redact
from planning.config.models import table_names
from planning.errors import ConfigError
from planning.tables import schema

ROOT = Path(__file__).parents[2]
CANARY = "canary-5f2e9a77-secret"


def write(folder, text: str):
    (folder / "workbench.toml").write_text(text, encoding="utf-8")
    return folder / "workbench.toml"


def lines_of(path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


def test_the_shipped_file_loads_and_has_every_section():
    settings = load(ROOT / "workbench.toml")
    text = (ROOT / "workbench.toml").read_text(encoding="utf-8")
    assert settings.company.currency == "EUR"
    assert settings.plan.as_of == dt.date(2026, 12, 31)
    assert set(settings.sources) == set(table_names())
    assert settings.root == ROOT
    for section in Settings.model_fields:
        assert f"[{section}" in text
        model = Settings.model_fields[section].annotation
        for key in getattr(model, "model_fields", {}):
            assert f"{key} =" in text or f"[{section}.{key}" in text, f"{section}.{key} is not in the shipped file"


@pytest.mark.parametrize("section", ["Source", "Flow", "Schedule"])
def test_every_key_of_a_named_section_stands_in_the_shipped_file(section):
    from planning import config

    text = (ROOT / "workbench.toml").read_text(encoding="utf-8")
    for key in getattr(config, section).model_fields:
        assert f"{key} =" in text or f".{key}" in text, f"{section}.{key} is not in the shipped file"


def test_table_names_are_the_field_files():
    assert table_names() == schema.table_names()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[company]\nnam = "x"', "company.nam: unknown key. Did you mean 'name'?"),
        ("[compny]\n", "compny: unknown key. Did you mean 'company'?"),
        ('[sources.deals]\npath = "a"\ndelimeter = ";"', "deals.delimeter: unknown key. Did you mean 'delimiter'?"),
        ('[calendar]\nfiscal_year_start = "4"', "calendar.fiscal_year_start: '4' is not a whole number"),
        ("[calendar]\nfiscal_year_start = 13", "calendar.fiscal_year_start: 13: input should be less than"),
        ('[calendar]\npattern = "445"', "Did you mean '4-4-5'?"),
        ('[company]\ncurrency = "euro"', "'euro' is not a currency code"),
        ('[company]\nlanguage = "de"', "company.language: 'de' is not one of 'en' or 'zh'"),
        ('[sources.sale]\npath = "a"', "sources.sale: is not a table. Did you mean 'sales'?"),
        ("[sources.sales]\n", "name either path (a file) or query"),
        ('[sources.sales]\npath = "a"\nquery = "b"', "name either path (a file) or query"),
        ('[flows.x]\nsteps = "data_check"', "flows.x.steps: 'data_check' is not a list"),
        ('[flows.x]\nsteps = ["a"]\n[schedules.y]\nflow = "z"\ncron = "0 7 * * 1"', "there is no flow 'z'"),
        ("[schedules.y]\ncron = \"0 7 * * 1\"", "schedules.y.flow: is missing"),
        ('[plan]\nby = ["region", "region"]', "name each key once"),
        ('[plan]\nas_of = "31.12.2026"', "'31.12.2026' is not a date; write it as 2026-12-31"),
        ("[plan.attainment]\ncommit = 0.2\ntarget = 0.5\nstretch = 0.8", "must fall in this order"),
        ("[rates]\nCHF = -1.0", "rates.CHF"),
        ("[company\n", "is not TOML"),
        ('[company]\nname = "${HOME}"', "company.name: ${NAME} may stand only in"),
        ('[sources.sales]\nquery = "t"\ndatabase = "${NOT_SET_ANYWHERE}"', "has no variable NOT_SET_ANYWHERE"),
        ('[delivery]\nsmtp_password = "typed"', "holds a password in plain text"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_clear_line(text, expected, tmp_path):
    lines = lines_of(write(tmp_path, text))
    assert any(expected in line for line in lines)
    assert all(line.startswith("workbench.toml: ") for line in lines)


def test_all_mistakes_are_told_at_once(tmp_path):
    lines = lines_of(write(tmp_path, '[company]\nnam = "x"\ncurrency = "euro"\n[run]\njobs = "two"\nkernel = "hot"\n'))
    assert len(lines) == 4


def test_the_file_is_found_upwards(tmp_path, monkeypatch):
    write(tmp_path, '[company]\nname = "Above"')
    (tmp_path / "notebooks" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "notebooks" / "deep")
    assert load().company.name == "Above"
    assert load(tmp_path).root == tmp_path


def test_no_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ConfigError, match="planning init"):
        find(tmp_path)
    with pytest.raises(ConfigError, match="planning init"):
        load(tmp_path / "nothing.toml")


@pytest.mark.parametrize("database", ["${CANARY_URL}", "postgresql://planner:${CANARY_PART}@127.0.0.1/erp"])
def test_a_secret_never_shows(database, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("CANARY_URL", f"postgresql://planner:{CANARY}@127.0.0.1/erp")
    monkeypatch.setenv("CANARY_PART", CANARY)
    path = write(
        tmp_path,
        f'[sources.sales]\nquery = "t"\ndatabase = "{database}"\n[delivery]\nsmtp_password = "${{CANARY_PART}}"\n'
        'urls = ["${CANARY_URL}"]\n',
    )
    settings = load(path)
    logging.getLogger("test").warning("settings: %s %r", settings, settings.sources)
    texts = [repr(settings), str(settings), json.dumps(settings.public()), settings.model_dump_json(), caplog.text]
    assert all(CANARY not in text for text in texts)
    assert CANARY in settings.sources["sales"].database.get_secret_value()
    assert CANARY not in redact(f"connection to {settings.sources['sales'].database.get_secret_value()} failed")


def test_a_wrong_value_beside_a_secret_does_not_print_it(tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_PART", CANARY)
    text = '[delivery]\nsmtp_user = "${CANARY_PART}"\nsmtp_port = "${CANARY_PART}"\n'
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert CANARY not in str(caught.value)


def test_rates_turn_into_company_currency(tmp_path):
    settings = load(write(tmp_path, "[rates]\nCHF = 1.05\n"))
    assert (settings.rate("EUR"), settings.rate("CHF"), settings.rate("USD")) == (1.0, 1.05, None)
