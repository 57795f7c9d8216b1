"""The data dictionary `data/README.md`, generated from the fields.

`python -m planning.tables.dictionary data/README.md` writes it; a test compares the file with the fields.
"""

from __future__ import annotations

import sys
from pathlib import Path

from planning.files import write_text
from planning.tables.schema import Field, fields, references, table_names

COMMAND = "python -m planning.tables.dictionary data/README.md"
FIRST = ("sales", "deals", "stage_history", "accounts", "products", "people", "assignments", "spend", "spend_lines")
TITLES = {
    "sales": "Sales by period and cell / 销售",
    "deals": "Deals (opportunities) / 商机",
    "stage_history": "What was known of a deal when / 阶段历史",
    "accounts": "Customers / 客户",
    "products": "Products / 产品",
    "people": "Sales people / 销售人员",
    "assignments": "Who answers for which cell / 负责分工",
    "spend": "Money spent by period, region and line / 支出",
    "spend_lines": "Budget lines and their limits / 预算项",
    "pilots": "Measured trials / 试点",
    "judged_response": "Judged effect of lines without measurement / 评估效果",
    "market": "Market potential / 市场",
    "capacity": "Limits of supply, cash and headcount / 产能与资源限制",
    "adjustments": "Planners' adjustments / 人工调整",
    "locks": "Forecasts that management fixes / 管理层固定的预测",
    "driver_plan": "Prices and promotions planned / 价格与促销计划",
    "confirmations": "Answers of the departments / 部门确认",
    "priorities": "Priorities / 优先级",
    "targets": "Targets and quotas of earlier years / 历史目标",
}
HEAD = f"""# Data

`sample/` holds the sample company (`planning sample data/sample`), `raw/` your own exports; neither is kept in git.
Each table below is one section `[sources.<table>]` of `workbench.toml`. Only `sales` is needed for a plan; what else
is there is used. Exports of Salesforce and HubSpot and Chinese headers are recognised by the names in the last column
(without regard to case, spaces and signs); for others write `[sources.<table>.columns]`.
How to: `docs/your_own_data.md`.

Types: `id` and `text` stay as written (`00123` keeps its zeros); `money` is in the row's currency and is turned
into the company's; `rate` is 0 to 1; `date` is ISO, declared, or proven; `timestamp` is UTC. **Bold** fields must be
there, and 🔑 fields make one row unique. `[plan] by` decides which of region, line and customer_type are keys of sales.

*Generated from `planning/tables/fields/*.csv`; edit there, then run
`{COMMAND}`.*
"""


def ordered_tables() -> list[str]:
    """Returns all tables, the ones a company starts with first."""
    return [*FIRST, *(name for name in table_names() if name not in FIRST)]


def markdown() -> str:
    """Returns the whole data dictionary as Markdown, in English and Chinese."""
    parts = [HEAD]
    for table in ordered_tables():
        parts.append(f"\n## {table}\n\n{TITLES.get(table, table)}\n\n")
        parts.append("| field | type, unit | allowed | meaning | 含义 | also called |\n|---|---|---|---|---|---|\n")
        parts += [_row(field) for field in fields(table)]
        points = [f"`{r.field}` → `{r.to_table}.{r.to_field}`" for r in references() if r.table == table]
        if points:
            parts.append(f"\nPoints to: {', '.join(points)}.\n")
    return "".join(parts)


def _row(field: Field) -> str:
    name = f"**{field.name}**" if field.required or field.key == "by" else field.name
    key = " 🔑" if field.key else ""
    kind = f"{field.type}, {field.unit}" if field.unit else field.type
    allowed = field.allowed.replace("|", ", ").replace("..", " to ")
    cells = [name + key, kind, allowed, field.description_en, field.description_zh, ", ".join(field.aliases)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def main(arguments: list[str]) -> None:
    """Writes the dictionary into the named file."""
    write_text(Path(arguments[0]), markdown())


if __name__ == "__main__":
    main(sys.argv[1:])
