"""Charts without a front end: chart and rows drawn by vl-convert, for a saved notebook or a report."""

from __future__ import annotations

import base64
import html
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from workbench.charts.theme import LIGHT
from workbench.live import rows
from workbench.live.bundle import vega_lite_version

WIDTH = 640  # pixels; a chart of a board has no width of its own
PATIENCE = 120.0  # seconds a child may draw
_SCALE = 1.5  # of a PNG: sharp enough to read on a fine screen, and small
_COLOURS = 64  # of a PNG: flat colours and soft edges need no more, and weigh an eighth
# vl-convert keeps Python from running while it draws, the first time for seconds: a child process does it.
# Pillow is there wherever torchvision is.
_CHILD = """
import base64, io, json, os, sys
import vl_convert
asked = json.load(sys.stdin)
hasattr(os, "nice") and os.nice(10)
def png(spec):
    from PIL import Image
    drawn = vl_convert.vegalite_to_png(spec, vl_version=asked["version"], scale=asked["scale"])
    few = Image.open(io.BytesIO(drawn)).convert("RGB").quantize(asked["colours"])
    file = io.BytesIO()
    few.save(file, "PNG", optimize=True)
    return file.getvalue()
def svg(spec):
    return vl_convert.vegalite_to_svg(spec, vl_version=asked["version"]).encode()
made = [{"png": png, "svg": svg}[form](spec) for form, spec in asked["charts"]]
json.dump([base64.b64encode(each).decode() for each in made], sys.stdout)
"""


@dataclass(frozen=True)
class Drawing:
    """A chart to be drawn: its spec, its rows, the form it is wanted in, and the palette."""

    spec: Mapping[str, Any]
    rows: rows.Rows
    form: Literal["png", "svg"] = "png"
    palette: Mapping[str, str] = field(default_factory=lambda: LIGHT)
    width: int = WIDTH


def still(chart: Any, shown: rows.Rows, *, width: int = WIDTH) -> str:
    """One chart with its rows as the text of an SVG picture, in the light palette.

    The same rows give the same text. A chart of several sources takes its rows all in one.
    """
    import vl_convert

    spec = chart if isinstance(chart, Mapping) else chart.to_dict()
    return vl_convert.vegalite_to_svg(_filled(spec, shown, width, {}), vl_version=vega_lite_version())


def drawn(drawings: Sequence[Drawing]) -> list[bytes]:
    """Pictures, made in a child process, so that sliders and threads of this one go on meanwhile.

    Raises:
        OSError: the child could not do it; the text is one line.
    """
    if not drawings:
        return []
    charts = [(each.form, _filled(each.spec, each.rows, each.width, each.palette)) for each in drawings]
    asked = {"charts": charts, "version": vega_lite_version(), "scale": _SCALE, "colours": _COLOURS}
    try:
        child = subprocess.run(
            [sys.executable, "-c", _CHILD],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(f"no picture within {PATIENCE:.0f} s") from error
    if child.returncode:
        said = child.stderr.decode("utf-8", "replace").strip().splitlines()
        raise OSError(said[-1] if said else f"the child that draws ended with {child.returncode}")
    return [base64.b64decode(each) for each in json.loads(child.stdout)]


def page(charts: Mapping[str, tuple[Any, rows.Rows, str]], *, width: int = WIDTH) -> str:
    """Several charts below each other as HTML: title, picture, and what it shows in words.

    Args:
        charts: by title: the chart, its rows, and its summary.
    """
    figures = []
    for title, (chart, shown, text) in charts.items():
        heading, told = html.escape(title), html.escape(text)
        picture = still(chart, shown, width=width)
        figures.append(f"<figure><figcaption>{heading}</figcaption>{picture}<p>{told}</p></figure>")
    return "\n".join(figures)


def png(picture: Any, *, scale: float = 1) -> bytes:
    """A picture as PNG, which every front end shows: of an SVG text, or of a Vega-Lite chart with data."""
    import vl_convert

    if isinstance(picture, str):
        return vl_convert.svg_to_png(picture, scale=scale)
    spec = picture if isinstance(picture, Mapping) else picture.to_dict()
    return vl_convert.vegalite_to_png(spec, scale=scale)


def _filled(
    spec: Mapping[str, Any], shown: rows.Rows, width: int, palette: Mapping[str, str]
) -> dict[str, Any]:
    """The spec with its rows, a width (also where a chart asks for it, `place`), and colours of the theme."""
    values = {**palette, "place": width}
    told = [
        {**each, "value": values[each["name"]]} if each.get("name") in values else each
        for each in spec.get("params", [])
    ]
    filled = {**spec, "width": width, "datasets": dict.fromkeys(rows.sources(spec), rows.plain(shown))}
    return {**filled, "params": told} if told else filled
