"""The sections of `workbench.toml` as pydantic models: strict types, no unknown keys.

```
Settings
├── company     name, currency, language
├── calendar    fiscal_year_start, pattern, holidays, regions
├── rates       code → company currency per unit
├── plan        by, year, as_of, policy, attainment
├── sources     table → Source(path | query + database, sheet, header_row, encoding, ..., columns, values, constants)
├── flows       name → Flow(steps, parameters)
├── schedules   name → Schedule(flow, cron, zone, catch_up, max_late, only, parameters, deliver,
│               deliver_when, alarms)
├── delivery    smtp_host, smtp_port, smtp_user, smtp_password, sender, recipients, urls
├── run         kernel, jobs, timeout, cell_timeout, retries, retry_on, backoff
├── root        the workspace: the folder workbench.toml lies in
└── path        workbench.toml itself
```

`table_names()` reads the names of the canonical tables from the field files, so a new table needs no change here.
"""

from __future__ import annotations

import datetime as dt
import functools
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)

FIELDS_FOLDER = Path(__file__).parent.parent / "tables" / "fields"
CURRENCY = re.compile(r"[A-Z]{3}")


@functools.cache
def table_names() -> tuple[str, ...]:
    """Returns the names of the canonical tables, one a file of fields."""
    return tuple(sorted(path.stem for path in FIELDS_FOLDER.glob("*.csv")))


def _currency(code: Any) -> Any:
    if isinstance(code, str) and not CURRENCY.fullmatch(code):
        raise ValueError(f"'{code}' is not a currency code; write three capital letters such as \"EUR\"")
    return code


def _wall_date(value: Any) -> Any:
    """TOML has dates of its own; a quoted ISO date is read too."""
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"'{value}' is not a date; write it as 2026-12-31") from None
    return value


Currency = Annotated[str, BeforeValidator(_currency)]
WallDate = Annotated[dt.date, BeforeValidator(_wall_date)]


class Section(BaseModel):
    """A section of the file: strict types, unknown keys refused, not changed after loading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Company(Section):
    """Who plans: the name on every page, the currency of every amount, the language of sentences."""

    name: str = Field("Company", min_length=1)
    currency: Currency = "EUR"
    language: Literal["en", "zh"] = "en"


class Calendar(Section):
    """The fiscal year and the working days: `holidays` is a country ("DE") or country-state ("DE-BY")."""

    fiscal_year_start: int = Field(1, ge=1, le=12)
    pattern: Literal["calendar", "4-4-5"] = "calendar"
    holidays: str = ""
    regions: dict[str, str] = {}


class Attainment(Section):
    """The chances the three totals are set at: P(actual ≥ total)."""

    commit: float = Field(0.80, gt=0, lt=1)
    target: float = Field(0.55, gt=0, lt=1)
    stretch: float = Field(0.25, gt=0, lt=1)

    @model_validator(mode="after")
    def _ordered(self) -> Attainment:
        if not self.commit >= self.target >= self.stretch:
            raise ValueError("commit, target and stretch must fall in this order; a higher total is reached less often")
        return self


class Plan(Section):
    """What is planned: the keys targets are split over, the plan year, the last day of data used."""

    by: list[str] = ["region", "line", "customer_type"]
    year: int | None = Field(None, ge=1990, le=2200)
    as_of: WallDate | None = None
    policy: str = ""
    attainment: Attainment = Attainment()

    @field_validator("by")
    @classmethod
    def _distinct(cls, by: list[str]) -> list[str]:
        if not by or len(set(by)) != len(by) or any(not key.strip() for key in by):
            raise ValueError('name each key once, such as ["region", "line"]')
        return by


class Source(Section):
    """Where one canonical table comes from and how to read it; what is left out is found out and said."""

    path: str = ""
    query: str = ""
    database: SecretStr | None = None
    sheet: str | int | None = None
    header_row: int | None = Field(None, ge=1)
    encoding: str = ""
    delimiter: str = ""
    decimal: Literal["", ".", ","] = ""
    thousands: Literal["", ".", ",", "'", " "] = ""
    date_format: str = ""
    sum_to: Literal["", "day", "week", "month", "quarter"] = ""
    columns: dict[str, str] = {}
    values: dict[str, dict[str, str]] = {}
    constants: dict[str, str | int | float] = {}

    @model_validator(mode="after")
    def _one_origin(self) -> Source:
        if bool(self.path) == bool(self.query):
            raise ValueError("name either path (a file) or query (with database, or over files), one of them")
        if self.database is not None and not self.query:
            raise ValueError("database needs a query: a SELECT or the name of a table")
        return self


class Flow(Section):
    """Notebooks run together; what depends on what follows from the notebooks themselves."""

    steps: list[str] = Field(min_length=1)
    parameters: dict[str, Any] = {}


class Schedule(Section):
    """When a flow runs: a cron line in a time zone, what to do about missed times, on which days."""

    flow: str
    cron: str
    zone: str = "UTC"
    catch_up: Literal["none", "latest", "all"] = "latest"
    max_late: str = "12h"
    only: str = ""
    parameters: dict[str, Any] = {}
    deliver: list[str] = []
    deliver_when: list[Literal["always", "failure", "change", "alarm"]] = ["always"]
    alarms: list[str] = []


class Delivery(Section):
    """Where finished pages are sent; user, password and urls as `${NAME}` of the environment."""

    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65535)
    smtp_user: SecretStr | None = None
    smtp_password: SecretStr | None = None
    starttls: bool = True
    sender: str = ""
    recipients: list[str] = []
    urls: list[SecretStr] = []

    @property
    def possible(self) -> bool:
        """Whether anything can be sent at all."""
        return bool(self.smtp_host or self.urls)


class Run(Section):
    """How notebooks are executed: cold or warm kernels, how many at once, how many seconds one or a cell may take."""

    kernel: Literal["cold", "warm"] = "warm"
    jobs: int = Field(2, ge=1, le=64)
    timeout: int = Field(600, ge=1)
    cell_timeout: int = Field(0, ge=0)
    retries: int = Field(0, ge=0, le=9)
    retry_on: list[Literal["died", "timeout", "failed"]] = ["died", "timeout"]
    backoff: float = Field(5.0, ge=0)


class Settings(Section):
    """Everything `workbench.toml` says, checked. See the module's picture."""

    company: Company = Company()
    calendar: Calendar = Calendar()
    rates: dict[Currency, Annotated[float, Field(gt=0)]] = {}
    plan: Plan = Plan()
    sources: dict[str, Source] = {}
    flows: dict[str, Flow] = {}
    schedules: dict[str, Schedule] = {}
    delivery: Delivery = Delivery()
    run: Run = Run()

    _root: Path = PrivateAttr(default_factory=Path.cwd)
    _path: Path | None = PrivateAttr(default=None)

    @property
    def root(self) -> Path:
        """The workspace folder: paths of the file are relative to it."""
        return self._root

    @property
    def path(self) -> Path | None:
        """workbench.toml itself; None for settings made in code."""
        return self._path

    def at(self, root: str | Path) -> Settings:
        """Returns the same settings for another workspace folder (tests, settings made in code)."""
        moved = self.model_copy()
        moved._root = Path(root).resolve()
        moved._path = self._path
        return moved

    def rate(self, currency: str) -> float | None:
        """Returns company currency per unit of `currency`; None when no rate is known."""
        return 1.0 if currency == self.company.currency else self.rates.get(currency)

    def public(self) -> dict[str, Any]:
        """Returns the settings as plain JSON values with every secret as asterisks, fit for a run folder."""
        return self.model_dump(mode="json")
