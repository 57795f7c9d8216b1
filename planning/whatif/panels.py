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
from planning.reports import words
from planning.runs import launch as launching
from planning.runs import progress
from planning.whatif import answers, links

_WIDE = widgets.Layout(width="560px")
_STYLE = {"description_width": "220px"}
_LINK = "color:#1b5e9b;text-decoration:underline"
_SAID, _WRONG = "font-size:18px;line-height:1.4;max-width:44em", "color:#b4530a"


def _slider(label: str, value: float, low: float, high: float, step: float, form: str) -> Any:
    return widgets.FloatSlider(
        value=value, min=low, max=high, step=step, description=label, readout_format=form, layout=_WIDE, style=_STYLE
    )


def _speaking() -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Returns a decorator: the function speaks today's language whenever, and in whatever thread, it is called."""
    tongue = language.current()

    def hold(function: Callable[..., None]) -> Callable[..., None]:
        def held(*values: Any) -> None:
            with language.use(tongue):
                function(*values)

        return held

    return hold


def _list(label: str, options: list[str]) -> Any:
    return widgets.Dropdown(options=options, description=label, style=_STYLE, layout=_WIDE)


def _panel(
    inputs: list[Any], say: Callable[[], str], root: Path, flow: str = "", chosen: Callable[[], dict[str, Any]] = dict,
    *, name: str = "",
) -> Any:  # fmt: skip
    """Inputs above a sentence that is said again whenever one of them changes; below, keep and run (of `flow`).

    name: what a kept scenario is called, before its number.
    """
    spoken = widgets.HTML()
    speak = _speaking()

    @speak
    def tell(_change: Any = None) -> None:
        try:
            spoken.value = f'<p style="{_SAID}">{html.escape(say())}</p>'
        except PlanningError as error:
            spoken.value = f'<p style="{_WRONG}">{html.escape(str(error))}</p>'

    for one in inputs:
        one.observe(tell, names="value")
    tell()
    return widgets.VBox([*inputs, spoken, *([_keeper(flow, chosen, root, name)] if flow else [])])


def _keeper(flow: str, chosen: Callable[[], dict[str, Any]], root: Path, prefix: str) -> Any:
    name = widgets.Text(value=answers.free_name(root, prefix), description=_("Name"), style=_STYLE, layout=_WIDE)
    keep, start = (
        widgets.Button(description=text, layout=widgets.Layout(width="auto"))
        for text in (_("Keep as a scenario"), _("Run {flow} with it").format(flow=flow))
    )
    said = widgets.VBox()
    speak = _speaking()

    @speak
    def write(_button: Any) -> None:
        try:
            path = answers.write_scenario(root, name.value.strip(), flow, chosen())
            text = _("Kept in {path}. It runs by: {command}").format(
                path=path.relative_to(root).as_posix(), command=f"planning run {flow} --scenario {path.stem}"
            )
        except PlanningError as error:
            text = str(error)
        said.children = [widgets.HTML(html.escape(text))]

    @speak
    def run(_button: Any) -> None:
        said.children = [launch(flow, given=chosen(), root=root, after=lambda: setattr(start, "disabled", False))]
        start.disabled = True  # a second press while it runs would start a second run

    keep.on_click(write)
    start.on_click(run)
    return widgets.VBox([name, widgets.HBox([keep, start]), said])


def _ready(make: Callable[[answers.Latest], Any], root: Path | None) -> Any:
    """Makes a panel in the company's language, or shows in one line why it cannot be made yet."""
    try:
        latest = answers.Latest(root)
        with language.use(latest.settings().company.language):
            return make(latest)
    except PlanningError as error:
        return widgets.HTML(f"<p>{html.escape(str(error))}</p>")


def target(root: Path | None = None) -> Any:
    """A panel: the chance of another target, and the total for another chance."""
    return _ready(_target, root)


def _target(latest: answers.Latest) -> Any:
    outlook = latest.outlook()
    low, high = (round(outlook.amount(p) / 1e6, 1) for p in (0.99, 0.01))
    label = _("Target, {currency} million").format(currency=latest.currency)
    amount = _slider(label, outlook.target / 1e6, low, high, 0.1, ".1f")
    at_first = amount.value

    def asked() -> float:
        """The plan's own total, exactly, until the slider is moved: its steps are coarser than a total."""
        return outlook.target if amount.value == at_first else amount.value * 1e6

    chance = _slider(_("Chance of the stretch goal"), 0.25, 0.02, 0.98, 0.01, ".0%")

    def say() -> str:
        first = answers.target_sentence(outlook, asked(), latest.currency)
        return first + " " + answers.stretch_sentence(outlook, chance.value, latest.currency)

    def chosen() -> dict[str, Any]:
        return {"annual_targets.amount": round(asked(), 2)}

    return _panel([amount, chance], say, latest.root, "annual_plan", chosen, name="target")


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
        return answers.budget_sentence(table, summary, change.value, latest.currency, fitted.periods)

    def chosen() -> dict[str, Any]:
        return {"regional_budget.change": round(change.value, 4), "regional_budget.move_limit": round(limit.value, 4)}

    return _panel([change, limit], say, latest.root, "annual_plan", chosen, name="budget")


def shock(root: Path | None = None) -> Any:
    """A panel: sales of a region or a line change from a month on; what that does to the chance of the target."""
    return _ready(_shock, root)


def _shock(latest: answers.Latest) -> Any:
    outlook = latest.outlook()
    everything = _("all")
    names = {"region": _("Region"), "line": _("Line")}
    where = {key: _list(names[key], [everything, *outlook.choices(key)]) for key in names if key in outlook.keys}
    change = _slider(_("Change of sales"), -0.1, -0.5, 0.5, 0.01, "+.0%")
    sure = _slider(_("How sure it is"), 1.0, 0.05, 1.0, 0.05, ".0%")
    months = [(language.month(period), period) for period in outlook.plan.target.law.periods]
    start = widgets.SelectionSlider(options=months, description=_("From month"), style=_STYLE, layout=_WIDE)

    def places() -> dict[str, str]:
        return {key: box.value for key, box in where.items() if box.value != everything}

    def named() -> str:
        moved = language.signed(change.value, formatter=language.percent)
        where_said = language.listing(list(places().values())) or _("All sales")
        return f"{where_said} {moved}"

    def say() -> str:
        event = answers.Event(named(), tuple(places().items()), start.value, change.value, sure.value)
        return answers.shock_sentence(outlook, event, latest.currency)

    def chosen() -> dict[str, Any]:
        return {"event": named(), **dict.fromkeys(where, ""), **places(), "start": f"{start.value:%Y-%m-%d}",
                "percent": round(100 * change.value, 2), "sure": round(sure.value, 2)}  # fmt: skip

    return _panel([*where.values(), start, change, sure], say, latest.root, "replan", chosen, name="shock")


def lever(root: Path | None = None) -> Any:
    """A panel: a lever on the lost deals, moved in a share of them."""
    return _ready(_lever, root)


def _lever(latest: answers.Latest) -> Any:
    levers = latest.result("deal_postmortem", "levers")
    which = _list(_("Lever"), list(levers["lever"]))
    share = _slider(_("Share of the deals it applies to"), 0.5, 0.0, 1.0, 0.05, ".0%")
    return _panel([which, share], lambda: answers.lever_sentence(levers, which.value, share.value), latest.root)


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


def launch(
    flow: str, *, given: dict[str, Any] | None = None, root: Path | None = None, after: Callable[[], None] | None = None
) -> Any:
    """Starts a run in the background and shows its progress, then the link to its page; at the end calls `after`."""
    shown = Shown()

    @_speaking()
    def work() -> None:
        try:
            _finish(shown, launching.start(flow, given=given, root=root, show=shown, trigger="notebook"))
        except PlanningError as error:
            shown.line.value = f'<p style="{_WRONG}">{html.escape(str(error))}</p>'
        finally:
            if after is not None:
                after()

    threading.Thread(target=work, daemon=True).start()
    return shown.box


def _finish(shown: Shown, record: dict[str, Any]) -> None:
    shown.bar.value = 1.0
    good = record["status"] == "ok"
    text = html.escape(_("Open its page"))
    page = record["steps"][0]["page"] if len(record["steps"]) == 1 else "index.html"
    link = f'<a href="{links.of_run(record, page)}" target="_blank" style="{_LINK}">{text}</a>'
    answers_given = [step["answer"] for step in record["steps"] if step["answer"]]
    said = answers_given[-1:] if good else [(record["error"] or {}).get("message", "")]
    told = html.escape(". ".join([words.state(record["status"]), *filter(None, said)]))
    shown.line.value = f'<p style="{"" if good else _WRONG}">{told}</p><p>{link}</p>'
