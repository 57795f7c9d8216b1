import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from planning import charts, language
from planning.charts import save, style
from planning.errors import UsageError

NAMES = {"en": ["Pumps & <valves>", "$5 and $6", "Sensors"], "zh": ["泵与阀门", "传感器产品线", "驱动器"]}


def fan_frame(unique_id=None):
    ds = pd.date_range("2024-01-01", periods=36, freq="MS")
    t = np.arange(36.0)
    frame = pd.DataFrame(
        {"ds": ds, "actual": np.where(t < 24, 100 + t, np.nan), "median": np.where(t < 24, np.nan, 100 + t)}
    )
    for level, width in ((80, 10.0), (95, 20.0)):
        frame[f"lo-{level}"], frame[f"hi-{level}"] = frame["median"] - width, frame["median"] + width
    return frame if unique_id is None else pd.concat(frame.assign(unique_id=name) for name in unique_id)


def row_frame(names):
    return pd.DataFrame({"label": names, "value": [0.3, 0.2, -0.1], "lo": [0.2, 0.1, -0.2], "hi": [0.4, 0.3, 0.0]})


def line_frame(names):
    x = pd.date_range("2025-01-01", periods=12, freq="MS")
    return pd.concat(pd.DataFrame({"x": x, "series": name, "y": np.arange(12.0) + i}) for i, name in enumerate(names))


CHARTS = {
    "fan": (charts.fan, lambda names: fan_frame(), {"currency": "EUR", "events": {"2025-03-01": "港口停运"}}),
    "fans": (charts.fans, fan_frame, {"unit": "k"}),
    "intervals": (
        charts.intervals,
        row_frame,
        {"kind": "percent", "heading": "区间", "reference": 0.0, "reference_name": "0"},
    ),
    "bars": (charts.bars, row_frame, {"kind": "ratio", "signed": True}),
    "lines": (charts.lines, line_frame, {"kind": "number", "unit": "k", "reference": 3.0, "reference_name": "limit"}),
}


@pytest.mark.parametrize("tongue", ["en", "zh"])
@pytest.mark.parametrize("name", CHARTS)
@pytest.mark.filterwarnings("error")  # a missing glyph is a warning of matplotlib
def test_each_house_chart_is_drawn_for_page_and_phone_in_both_languages(tmp_path, name, tongue, caplog):
    plot, make, options = CHARTS[name]
    with language.use(tongue):
        entry = save.save(
            plot, make(NAMES[tongue]), tmp_path, name, alt="What it shows.", title="Title", options=options
        )
    for size, width in (("wide", 816), ("narrow", 358)):
        text = (tmp_path / entry[size]).read_text(encoding="utf-8")
        root = ET.fromstring(text)
        assert float(root.get("viewBox").split()[2]) == pytest.approx(width, abs=0.1)
        assert len(text) < 60_000
    assert (tmp_path / entry["png"]).stat().st_size > 2_000
    assert "findfont" not in caplog.text


def test_a_drawing_fits_into_a_page(tmp_path):
    save.save(charts.bars, row_frame(NAMES["en"]), tmp_path, "x", alt='Says "so" & <so>.', options={"kind": "ratio"})
    text = (tmp_path / "x.wide.svg").read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.get("role") == "img"
    title, desc = root[0], root[1]
    assert (title.tag, desc.tag) == ("title", "desc")
    assert desc.text == 'Says "so" & <so>.'
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert not list(root.iter("style")) and "<?xml" not in text and "font-family" not in text
    assert all(element.get("id").startswith("x-w-") for element in root.iter() if element.get("id"))
    colours = set(re.findall(r"#[0-9a-f]{6}", text)) - set(re.findall(r"var\(--\w+, (#[0-9a-f]{6})\)", text))
    assert colours == set(), "every colour is a role of the page"
    words = [element.text for element in root.iter("text")]
    assert "Pumps & <valves>" in words and "$5 and $6" in words


def test_ids_of_two_drawings_never_meet(tmp_path):
    for name in ("a", "b"):
        save.save(charts.fan, fan_frame(), tmp_path, name, alt="x")
    ids = [re.findall(r'id="([^"]+)"', path.read_text(encoding="utf-8")) for path in sorted(tmp_path.glob("*.svg"))]
    together = [one for each in ids for one in each]
    assert len(together) == len(set(together)) > 8


def test_same_frame_same_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        save.save(charts.fan, fan_frame(), tmp_path / folder, "fan", alt="x")
    for kept in ("fan.wide.svg", "fan.narrow.svg", "fan.png"):
        assert (tmp_path / "one" / kept).read_bytes() == (tmp_path / "two" / kept).read_bytes()


def test_alt_text_is_required(tmp_path):
    with pytest.raises(UsageError, match="alt text"):
        save.save(charts.fan, fan_frame(), tmp_path, "fan", alt="  ")
    assert list(tmp_path.iterdir()) == []


def test_many_marks_become_an_image_and_words_stay_words():
    def scatter(frame, *, ax, narrow):
        ax.plot(frame["x"], frame["y"], "o")
        ax.annotate("label", (0, 0))
        return ax

    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(5000, 2)), columns=["x", "y"])
    text = save.to_svg(save.draw(scatter, frame, narrow=False), name="s", title="", alt="x")
    assert 'href="data:image/png' in text and ">label<" in text
    assert len(text) < 200_000


def test_drawing_leaves_matplotlibs_settings_alone():
    import matplotlib

    before = dict(matplotlib.rcParams)
    charts.fan(fan_frame())
    assert dict(matplotlib.rcParams) == before


def test_a_chart_on_given_axes_does_not_resize_their_figure():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3))
    ax = figure.add_subplot()
    assert charts.fan(fan_frame(), ax=ax) is ax
    assert tuple(figure.get_size_inches()) == (5, 3)


def test_a_fan_without_its_columns_says_which():
    with pytest.raises(UsageError, match="'median' or 'mean'"):
        charts.fan(fan_frame().drop(columns="median"))
    with pytest.raises(UsageError, match="actual is missing"):
        charts.fan(fan_frame().drop(columns="actual"))


def test_an_unknown_chart_names_those_there_are():
    with pytest.raises(AttributeError, match="fan"):
        charts.pie  # noqa: B018


def test_fans_of_one_series_and_of_none_are_drawn():
    for frame in (fan_frame(["a"]), fan_frame(["a"]).iloc[:0]):
        assert save.draw(charts.fans, frame, narrow=False).axes is not None
    assert len(save.draw(charts.fan, fan_frame().iloc[:0], narrow=True).axes) == 1
    assert len(save.draw(charts.lines, line_frame(["a"]).iloc[:0], narrow=True).axes) == 1
    assert len(save.draw(charts.bars, row_frame(NAMES["en"]).iloc[:0], narrow=True).axes) == 1


@pytest.mark.parametrize(
    ("low", "high", "ticks"), [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]), (7.2, 13.2, [8, 10, 12]), (-3, 3, [-2, 0, 2])]
)
def test_ticks_are_round_and_inside(low, high, ticks):
    assert style.nice_ticks(low, high, 6 if low == 0 else 5) == pytest.approx(ticks)


def test_ticks_of_a_range_without_width():
    assert style.nice_ticks(3.0, 3.0) == [3.0]
    assert style.nice_ticks(math.nan, 1.0) == [0.0]


def test_long_names_are_broken_once_and_cut():
    assert style.wrap("Short", 200) == "Short"
    lines = style.wrap("A very long name of a product line that nobody can read at once in a chart", 150).split("\n")
    assert len(lines) == 2 and lines[1].endswith("…")
    assert all(style.text_width(line) <= 150 for line in lines)
    assert style.wrap("account lost，South, Valves, OEM", 210) == "account lost，South, Valves,\nOEM"
    assert style.wrap("限制：供应，Central, Sensors, OEM，Export", 210).split("\n")[1][0] not in "，、：M"
    assert style.wrap("a word of 12\u202fm stays with its unit in a line", 110).split("\n")[0].endswith("12\u202fm")
    assert style.wrap("一个非常长的产品线名称需要分成两行显示", 130).count("\n") == 1


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, two):
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_role_can_be_read_on_paper_in_light_and_dark():
    css = (style.Path(charts.__file__).parents[1] / "reports" / "templates" / "page.css").read_text(encoding="utf-8")
    light, dark = css.split("prefers-color-scheme: dark", 1)
    for scheme, paper in ((light, "#ffffff"), (dark.split("}", 1)[0] + "}", "#12181f")):
        colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6});", scheme))
        for role in ("ink", "muted", "now", "plan", "gain", "risk", "aux"):
            assert contrast(colours[role], paper) >= 4.5, role
    light_colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", light))
    assert {role: style.ROLES[role] for role in ("ink", "plan", "risk")} == {
        r: light_colours[r] for r in ("ink", "plan", "risk")
    }


def test_a_curve_of_thousands_of_steps_keeps_its_shape_in_few_points():
    x = np.linspace(0, 100, 5000)
    frame = pd.DataFrame({"x": x, "series": "a", "y": np.floor(10 * np.sin(x / 20) ** 2)})
    text = save.to_svg(save.draw(charts.lines, frame, narrow=False), name="s", title="", alt="x")
    path = max(re.findall(r' d="([^"]+)"', text), key=len)
    assert 20 < path.count("L") < 400 and len(text) < 20_000
    heights = {round(float(y), 0) for y in re.findall(r"[ML] [\d.]+ ([\d.]+)", path)}
    assert len(heights) == 10, "each step is there"
