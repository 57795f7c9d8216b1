"""`planning families` and `planning attribute` as they are called: files, exit codes, what is written."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning.cli import group
from planning.deals.simulate import simulate_deals

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def call(*arguments) -> tuple[int, str]:
    result = CliRunner().invoke(group, [str(argument) for argument in arguments])
    return result.exit_code, result.output


@pytest.fixture
def files(tmp_path) -> tuple[Path, Path, Path]:
    world = simulate_deals(900, seed=2, people=20)
    world.deals.to_csv(tmp_path / "deals.csv", index=False)
    lines = [f"[{name}]\nfields = {json.dumps(fields)}\n" for name, fields in world.families.items()]
    known = "".join(f'{field} = "creation"\n' for fields in world.families.values() for field in fields)
    (tmp_path / "f.toml").write_text("".join(lines) + "[known_at]\n" + known, encoding="utf-8")
    return tmp_path / "deals.csv", tmp_path / "f.toml", tmp_path / "out"


def attribute(files, *more):
    deals, families, out = files
    return call(
        "attribute",
        deals,
        "--outcome",
        "outcome",
        "--won",
        "won",
        "--families",
        families,
        "--out",
        out,
        "--refits",
        20,
        *more,
    )


def test_attribute_writes_what_the_contract_says(files):
    code, _ = attribute(files)
    assert code == 0
    out = files[2]
    weights = pd.read_csv(out / "weights.csv")
    assert weights.columns[:8].tolist() == [
        "family",
        "share",
        "lo90",
        "hi90",
        "p_zero",
        "band_lo",
        "band_hi",
        "n_fields",
    ]
    assert weights["share"].sum() == pytest.approx(1)
    parts = pd.read_parquet(out / "contributions.parquet")
    assert parts.columns.tolist()[0] == "deal_id" and parts.columns.tolist()[-1] == "intercept" and len(parts) == 900
    assert set(weights["family"]) == set(parts.columns[1:-1])
    assert {"severity", "field", "rule", "evidence"} <= set(pd.read_csv(out / "findings.csv").columns)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert {"estimand", "n", "win_rate", "auc", "auc_lo", "auc_hi", "refused"} <= set(summary)
    assert summary["refused"] is False and summary["auc_lo"] < summary["auc"] < summary["auc_hi"]


def test_a_refusal_is_an_answer_and_leaves_no_old_weights(files):
    attribute(files)
    deals = pd.read_csv(files[0])
    deals["outcome"] = np.random.default_rng(0).permutation(deals["outcome"])
    deals.to_csv(files[0], index=False)
    code, text = attribute(files)
    assert code == 0 and "cannot carry weights" in text
    assert not (files[2] / "weights.csv").exists() and not (files[2] / "contributions.parquet").exists()
    assert json.loads((files[2] / "summary.json").read_text(encoding="utf-8"))["reasons"]


def test_families_drafts_what_attribute_reads(files):
    draft = files[2].with_suffix(".toml")
    code, _ = call("families", files[0], "--outcome", "outcome", "--won", "won", "--out", draft)
    assert code == 0
    code, _ = attribute((files[0], draft, files[2]))
    assert code == 0 and (files[2] / "summary.json").exists()


def test_wrong_usage_exits_2_in_one_line(files, tmp_path):
    deals, families, out = files
    cases = [
        (
            "attribute",
            tmp_path / "none.csv",
            "--outcome",
            "outcome",
            "--won",
            "won",
            "--families",
            families,
            "--out",
            out,
        ),
        ("attribute", tmp_path, "--outcome", "outcome", "--won", "won", "--families", families, "--out", out),
        ("attribute", deals, "--outcome", "outcom", "--won", "won", "--families", families, "--out", out),
        ("attribute", deals, "--outcome", "outcome", "--won", "yes", "--families", families, "--out", out),
        ("attribute", deals, "--outcome", "outcome", "--won", "won", "--families", tmp_path / "no.toml", "--out", out),
    ]
    for case in cases:
        code, text = call(*case)
        assert code == 2 and text.startswith("error:") and "Traceback" not in text, case


def test_wrong_contents_exit_1(files, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("deal_id,outcome\n", encoding="utf-8")
    code, text = call(
        "attribute", empty, "--outcome", "outcome", "--won", "won", "--families", files[1], "--out", files[2]
    )
    assert code == 1 and "Traceback" not in text


@pytest.mark.skipif(not (SHARED / "deals" / "maven_crm").exists(), reason="reference data are not here")
def test_maven_is_refused_with_the_truncation_finding(tmp_path):
    deals, families, out = SHARED / "deals" / "maven_crm" / "sales_pipeline.csv", tmp_path / "f.toml", tmp_path / "out"
    assert call("families", deals, "--outcome", "deal_stage", "--won", "Won", "--out", families)[0] == 0
    code, _ = call("attribute", deals, "--outcome", "deal_stage", "--won", "Won", "--families", families, "--out", out)
    found = pd.read_csv(out / "findings.csv")
    assert code == 0 and not (out / "weights.csv").exists()
    assert "truncation" in set(found["rule"])
    assert {"close_value", "close_date"} <= set(found.loc[found["severity"] == "refused", "field"])


@pytest.mark.skipif(not (SHARED / "leads").exists(), reason="reference data are not here")
def test_leaks_of_the_lead_data_are_refused_even_when_called_known(tmp_path):
    leaks = ["Tags", "Lead Quality", "Last Notable Activity"]
    families, out = tmp_path / "f.toml", tmp_path / "out"
    known = "".join(f'"{name}" = "creation"\n' for name in [*leaks, "Lead Origin", "TotalVisits"])
    text = f'[a]\nfields = {json.dumps(leaks)}\n[b]\nfields = ["Lead Origin", "TotalVisits"]\n[known_at]\n{known}'
    families.write_text(text, encoding="utf-8")
    path = SHARED / "leads" / "x_education_leads.csv"
    code, _ = call(
        "attribute", path, "--outcome", "Converted", "--won", "1", "--families", families, "--out", out, "--refits", 10
    )
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert code == 0 and set(leaks) <= set(summary["refused_fields"])
