"""The part of the forecast page about drivers: what growth is made of, what each is worth, and what-if.

Each function takes the step and the outlook, emits one section and returns what JupyterLab shows.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning import charts
from planning.forecast import driver_sentences as words
from planning.forecast import growth_parts, outlook
from planning.forecast.driver_scenarios import WhatIf
from planning.forecast.outlook import Outlook
from planning.forecast.sentences import label, level_name

SHOWN_CELLS = 12


def show_drivers(step: Any, look: Outlook) -> Any:
    """What the growth is made of, what a move of each driver sells, and how it is known ahead."""
    if look.refused:
        return None
    paths = look.history.paths
    for name, share in paths.thin if paths is not None else ():
        step.left_out(words.thin_column(name), 1, share=1 - share)
    if paths is None or not look.driven.names:
        return step.cannot_tell(*words.none_question())
    held = [name for name, how in zip(paths.names, paths.how) if how == "held"]
    if held:
        step.cannot_tell(*words.held_question(held))
    if not {"price_index", "promotion"} & set(paths.names):
        step.cannot_tell(*words.none_question())
    shown = _bridge(step, look) if look.driven.used else step.finding("drivers", *words.finding_unused())
    how, months = dict(zip(paths.names, paths.how)), dict(zip(paths.names, map(int, paths.held)))
    table = words.effects_shown(look.driven.effects, how, months)
    formats = dict.fromkeys(["effect", "lo", "hi"], "number") | {"saved": "percent"}
    step.tabulate("effects", table, headings=words.effect_headings(), formats=formats)
    return shown


def _bridge(step: Any, look: Outlook) -> Any:
    rows, driven = growth_parts.parts(look), look.driven
    step.finding("drivers", *words.finding_parts(rows, growth_parts.apart(look), driven.effects, driven.gain))
    frame = growth_parts.bridge(look)
    frame["label"] = frame["label"].map(words.part_names() | words.year_names(look.year, look.last_year))
    currency = look.history.currency
    return step.chart("drivers", charts.targets.bridge, frame, alt=words.alt_parts(rows, currency), currency=currency)


def show_what_if(step: Any, look: Outlook, asked: WhatIf | None) -> Any:
    """What another path of the drivers would change: the total, and the cells it moves most; nothing if not asked."""
    if look.refused or asked is None:
        return None
    if asked.idle:
        step.cannot_tell(*words.what_if_idle(list(asked.idle)))
    total = asked.table[asked.table["level"] == "total"].iloc[0].to_dict()
    said = words.what_if_asked(asked.scenario, asked.price, asked.promotion)
    shown = step.finding("what_if", *words.finding_what_if(said, total, look.year, look.history.currency))
    table = asked.table.assign(share=words.share_of(asked.table), size=asked.table["change"].abs())
    few = table[table["level"].isin(["total", *look.history.keys[:2]])]
    cells = table[table["level"] == outlook.bottom_level(look.joint)].nlargest(SHOWN_CELLS, "size")
    _changes_table(step, "what_if", few.head(SHOWN_CELLS))
    _changes_table(step, "what_if_cells", cells, details=True)
    return shown


def _changes_table(step: Any, name: str, table: pd.DataFrame, details: bool = False) -> Any:
    formats = dict.fromkeys(["mean", "changed", "change", "change_lo", "change_hi"], "money") | {"share": "percent"}
    table = table.assign(unique_id=table["unique_id"].map(label), level=table["level"].map(level_name))
    table = table[["unique_id", "level", *formats]].reset_index(drop=True)
    return step.tabulate(name, table, headings=words.what_if_headings(), formats=formats, details=details)
