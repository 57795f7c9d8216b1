"""Columns of foreign exports: folded names, units in brackets, declared mappings, best guesses."""

from __future__ import annotations

import tomllib

import pandas as pd
import pytest

from planning.config import load
from planning.errors import DataError
from planning.sources import check_table, read_table
from planning.tables import fields
from planning.tables.matching import match_columns


def sources(folder, text: str, extra: str = "", by: str = '["region", "line"]'):
    (folder / "s.csv").write_text(text, encoding="utf-8")
    text = f'[plan]\nby = {by}\n[sources.sales]\npath = "s.csv"\n{extra}'
    (folder / "workbench.toml").write_text(text, encoding="utf-8")
    return load(folder)


GERMAN = (
    "Buchungsmonat;Verkaufsgebiet;Artikelgruppe;Nettowert\n"
    "2026-01-01;Nord;Pumpen;1.000,50\n2026-02-01;Nord;Pumpen;2.000,00\n"
)


def test_columns_are_found_in_any_order_and_spelling():
    match = match_columns(fields("deals"), ["CloseDate", "Deal ID", "STAGE", "Loss_Reason__c", "my feature"])
    assert match.theirs == {
        "closed_date": "CloseDate", "deal_id": "Deal ID", "stage": "STAGE", "loss_reason": "Loss_Reason__c",
    }  # fmt: skip
    assert match.extra == ["my feature"]


def test_unknown_columns_get_a_block_to_paste_that_works(tmp_path):
    settings = sources(tmp_path, GERMAN)
    with pytest.raises(DataError, match="Paste into workbench.toml") as caught:
        read_table("sales", settings)
    block = check_table("sales", settings).block
    assert block in str(caught.value)
    guessed = tomllib.loads(block)["sources"]["sales"]["columns"]
    assert list(guessed) == ["ds", "region", "line", "amount"]
    assert list(guessed.values()) == GERMAN.splitlines()[0].split(";")
    sales = read_table("sales", sources(tmp_path, GERMAN, block))
    assert sales["amount"].tolist() == [1000.5, 2000.0]
    assert list(sales.columns) == ["ds", "region", "line", "amount"]


def test_a_declared_column_that_is_not_there_names_the_nearest(tmp_path):
    settings = sources(tmp_path, GERMAN, '[sources.sales.columns]\namount = "Netowert"\nammount = "Nettowert"\n')
    text = "\n".join(fault.line() for fault in check_table("sales", settings).faults)
    assert "Did you mean 'Nettowert'?" in text
    assert "names 'ammount', which is no field. Did you mean 'amount'?" in text


def test_values_and_constants_are_put_in(tmp_path):
    text = "month,area,amount\n2026-01-01,N,5\n2026-02-01,S,6\n"
    extra = '[sources.sales.values.region]\nN = "North"\nS = "South"\n[sources.sales.constants]\nline = "Pumps"\n'
    sales = read_table("sales", sources(tmp_path, text, extra))
    assert sales["region"].tolist() == ["North", "South"]
    assert sales["line"].tolist() == ["Pumps", "Pumps"]


def test_a_company_may_plan_by_keys_of_its_own(tmp_path):
    text = "State,Industry,Month,Turnover\nVictoria,Food,2018-01-01,10.5\nVictoria,Food,2018-02-01,11\n"
    sales = read_table("sales", sources(tmp_path, text, by='["State", "Industry"]'))
    assert list(sales.columns)[:2] == ["ds", "amount"]
    assert sales["State"].tolist() == ["Victoria", "Victoria"]


def test_rows_of_one_key_can_be_added_up(tmp_path):
    text = "invoice date,region,line,amount,units\n2026-01-03,N,P,5,1\n2026-01-20,N,P,6,2\n2026-02-01,N,P,7,3\n"
    summed = read_table("sales", sources(tmp_path, text, 'sum_to = "month"\n'))
    assert summed["ds"].tolist() == [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-02-01")]
    assert summed["amount"].tolist() == [11.0, 7.0]
    assert summed["units"].tolist() == [3.0, 3.0]


def test_currencies_become_one(tmp_path):
    text = "ds,region,line,amount,margin,currency\n2026-01-01,N,P,100,10,CHF\n2026-02-01,N,P,100,10,\n"
    settings = sources(tmp_path, text, "[rates]\nCHF = 1.05\n")
    sales = read_table("sales", settings)
    assert sales["amount"].tolist() == pytest.approx([105.0, 100.0])
    assert sales["margin"].tolist() == pytest.approx([10.5, 10.0])
    assert sales["currency"].tolist() == ["EUR", "EUR"]


def test_a_unit_in_the_header_is_used_and_said(tmp_path):
    text = "ds,region,line,amount (k USD)\n2026-01-01,N,P,12.5\n"
    checked = check_table("sales", sources(tmp_path, text, "[rates]\nUSD = 0.5\n"))
    assert checked.frame["amount"].tolist() == [6250.0]
    assert "times 1,000" in checked.facts["units"]
    assert checked.facts["currencies"] == "USD turned into EUR"
