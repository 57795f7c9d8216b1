"""The panels: sliders over `answers`, a button that keeps the values, a button that starts a run."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ipywidgets as widgets

from planning import language
from planning.errors import PlanningError
from planning.language import _
from planning.runs import launch as launching
from planning.runs import progress
from planning.whatif import answers

_WIDE = widgets.Layout(width="560px")
_STYLE = {"description_width": "220px"}


def _slider(label: str, value: float, low: float, high: float, step: float, form: str) -> Any:
    return widgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=label, readout_format=form, layout=_WIDE, style=_STYLE
    )


def _panel(
    inputs: list[Any], say: Callable[[], str], parameters: Callable[[], dict[str, Any]] | None, root: Path
) -> Any:
    """Inputs above a sentence that is said again whenever one of them changes; below, keep and run."""
    spoken = widgets.HTML()

    def tell(_change: Any = None) -> None:
        try:
            spoken.value = f'<p style="font-size:18px;max-width:44em">{html.escape(say())}</p>'
        except PlanningError as error:
            spoken.value = f'<p style="color:#b4530a">{html.escape(str(error))}</p>'

    for one in inputs:
        one.observe(tell, names="value")
    tell()
    rows = [*inputs, spoken]
    if parameters is not None:
        rows.append(_keeper(parameters, root))
    return widgets.VBox(rows)


def _keeper(parameters: Callable[[], dict[str, Any]], root: Path) -> Any:
    name = widgets.Text(value="scenario-1", description=_("Name"), style=_STYLE, layout=widgets.Layout(width="420px"))
    keep = widgets.Button(description=_("Keep as a scenario"))
    start = widgets.Button(description=_("Run the plan with it"))
    said = widgets.VBox()

    def write(_button: Any) -> None:
        try:
            path = answers.write_scenario(root, name.value.strip(), "annual_plan", parameters())
            text = _("Kept in {path}.").format(path=path.relative_to(root).as_posix())
        except PlanningError as error:
            text = str(error)
        said.children = [widgets.HTML(html.escape(text))]

    def run(_button: Any) -> None:
        said.children = [launch("annual_plan", given=parameters(), root=root)]

    keep.on_click(write)
    start.on_click(run)
    return widgets.VBox([widgets.HBox([name, keep, start]), said])


def _ready(make: Callable[[answers.Latest], Any], root: Path | None) -> Any:
    """Makes a panel in the company's language, or shows in one line why it cannot be made yet."""
    try:
        latest = answers.Latest(root)
        language.set_language(latest.settings().company.language)
        return make(latest)
    except PlanningError as error:
        return widgets.HTML(f"<p>{html.escape(str(error))}</p>")


def target(root: Path | None = None) -> Any:
    """A panel: the chance of another target, and the total for another chance."""
    return _ready(_target, root)


def _target(latest: answers.Latest) -> Any:
    curve, now = latest.curve(), latest.target()
    low, high = curve.amount(0.99) / 1e6, curve.amount(0.01) / 1e6
    amount = _slider(_("Target, {currency} million").format(currency=latest.currency), now / 1e6, low, high, 0.1, ".1f")
    chance = _slider(_("Chance of the stretch goal"), 0.25, 0.02, 0.98, 0.01, ".0%")

    def say() -> str:
        first = answers.target_sentence(curve, amount.value * 1e6, latest.currency)
        return first + " " + answers.stretch_sentence(curve, chance.value, latest.currency)

    return _panel([amount, chance], say, lambda: {"annual_targets.amount": round(amount.value * 1e6)}, latest.root)


def budget(root: Path | None = None) -> Any:
    """A panel: another total budget and another move limit; opening it fits the response once, which takes seconds."""
    return _ready(_budget, root)


def _budget(latest: answers.Latest) -> Any:
    fitted = answers.Budget(latest)
    change = _slider(_("Budget against today"), 0.0, -0.5, 0.5, 0.01, "+.0%")
    limit = _slider(_("Largest change of a line"), 0.3, 0.05, 1.0, 0.05, ".0%")
    for one in (change, limit):
        one.continuous_update = False

    def say() -> str:
        table, summary = fitted.ask(change.value, limit.value)
        return answers.budget_sentence(table, summary, change.value, latest.currency)

    def chosen() -> dict[str, Any]:
        return {"regional_budget.change": round(change.value, 4), "regional_budget.move_limit": round(limit.value, 4)}

    return _panel([change, limit], say, chosen, latest.root)


def shock(root: Path | None = None) -> Any:
    """A panel: sales of a region or a line change from a month on; what that does to the chance of the target."""
    return _ready(_shock, root)


def _shock(latest: answers.Latest) -> Any:
    curve, goal, joint = latest.curve(), latest.target(), latest.result("demand_forecast", "joint")
    everything = _("all")
    keys = [key for key in ("region", "line") if key in joint.keys]
    where = {
        key: widgets.Dropdown(
            options=[everything, *answers.choices(joint, key)], description=key, style=_STYLE, layout=_WIDE
        )
        for key in keys
    }
    change = _slider(_("Change of sales"), -0.1, -0.5, 0.5, 0.01, "+.0%")
    months = [f"{period:%Y-%m}" for period in joint.periods]
    start = widgets.SelectionSlider(options=months, description=_("From month"), style=_STYLE, layout=_WIDE)

    def say() -> str:
        chosen = {key: box.value for key, box in where.items() if box.value != everything}
        amount = answers.shock_amount(joint, change.value, chosen, f"{start.value}-01")
        return answers.shock_sentence(curve, goal, amount, latest.currency)

    return _panel([*where.values(), start, change], say, None, latest.root)


def lever(root: Path | None = None) -> Any:
    """A panel: a lever on the lost deals, moved in a share of them."""
    return _ready(_lever, root)


def _lever(latest: answers.Latest) -> Any:
    levers = latest.result("deal_postmortem", "levers")
    which = widgets.Dropdown(options=list(levers["lever"]), description=_("Lever"), style=_STYLE, layout=_WIDE)
    share = _slider(_("Share of the deals it applies to"), 0.5, 0.0, 1.0, 0.05, ".0%")
    return _panel([which, share], lambda: answers.lever_sentence(levers, which.value, share.value), None, latest.root)


class Shown(progress.Silent):
    """A run's progress as a bar and a line."""

    def __init__(self) -> None:
        self.bar = widgets.FloatProgress(min=0, max=1, layout=_WIDE)
        self.line = widgets.HTML()
        self.box = widgets.VBox([self.bar, self.line])
        self._at: dict[str, float] = {}
        self._steps = 1

    def begin(self, flow: str, run_id: str, steps: int) -> None:
        self._steps = steps
        self.line.value = html.escape(f"{flow} {run_id}")

    def cell(self, notebook: str, index: int, total: int) -> None:
        self._at[notebook] = index / max(total, 1)
        self._draw(f"{notebook} {index}/{total}")

    def ended(self, notebook: str, status: str, seconds: float, note: str = "") -> None:
        self._at[notebook] = 1.0
        self._draw(f"{notebook}: {status} {note}")

    def _draw(self, text: str) -> None:
        self.bar.value = sum(self._at.values()) / self._steps
        self.line.value = html.escape(text)


def launch(flow: str, *, given: dict[str, Any] | None = None, root: Path | None = None) -> Any:
    """Starts a run in the background and shows its progress, then the link to its page."""
    shown = Shown()

    def work() -> None:
        try:
            record = launching.start(flow, given=given, root=root, show=shown, trigger="notebook")
        except PlanningError as error:
            shown.line.value = f'<p style="color:#b4530a">{html.escape(str(error))}</p>'
            return
        shown.bar.value = 1.0
        link = f"../reports/{record['flow']}/{record['id']}/index.html"
        causes = html.escape((record["error"] or {}).get("message", ""))
        shown.line.value = (
            f'{html.escape(record["status"])} {causes} <a href="{link}" target="_blank">{html.escape(link)}</a>'
        )

    threading.Thread(target=work, daemon=True).start()
    return shown.box
