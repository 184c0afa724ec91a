"""The style sheet's colours can be read and told apart, on paper and in the dark."""

import re
from importlib.resources import files

import pytest

STYLE = files("recsys.evaluation.report").joinpath("templates/report.css").read_text("utf-8")
COLOURS = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", STYLE))
TEXTS = ("ink", "soft", "link", "good", "warn", "bad")
MARKS = tuple(f"s{series}" for series in range(8))


def luminance(colour):
    """As WCAG 2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def colour(name, theme):
    return COLOURS[name].split(", ")[theme]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "raised"])
@pytest.mark.parametrize(("names", "least"), [(TEXTS, 4.5), (MARKS, 3.0)], ids=["texts", "marks"])
def test_colours_stand_out(theme, ground, names, least):
    found = {name: contrast(colour(name, theme), colour(ground, theme)) for name in names}
    assert {name: ratio for name, ratio in found.items() if ratio < least} == {}


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_an_alarm_can_be_read(theme):
    assert contrast("#ffffff", colour("alarm", theme)) >= 4.5


def test_every_colour_that_is_used_is_defined():
    defined = set(re.findall(r"^\s*(--[\w-]+):", STYLE, re.MULTILINE)) | {"--c"}
    assert set(re.findall(r"var\((--[\w-]+)\)", STYLE)) <= defined
