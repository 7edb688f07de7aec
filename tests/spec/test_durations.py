"""Durations as Go writes them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from velapulumi.spec import format_duration, parse_duration

UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("30s", 30),
        ("2m15s", 135),
        ("1h", 3600),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("300ms", 0.3),
        ("100us", 0.0001),
        ("100µs", 0.0001),
        ("100μs", 0.0001),
        ("5ns", 5e-9),
        ("1d", 86400),
        ("+3s", 3),
        ("1h1h", 7200),
    ],
)
def test_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1min", 'unknown unit "min"'),
        ("1S", 'unknown unit "S"'),
        ("1 s", 'unknown unit " s"'),
        ("30", "30 has no unit, such as s, m or h"),
        ("1h30", "30 has no unit, such as s, m or h"),
        ("00", "00 has no unit, such as s, m or h"),
        ("-5s", "it must not be negative"),
        ("-0", "it must not be negative"),
        ("", "it is empty, write a number with a unit such as 30s or 2m15s"),
        ("+", "it is empty, write a number with a unit such as 30s or 2m15s"),
        ("s", "write numbers with units, such as 30s or 2m15s"),
        (".s", "write numbers with units, such as 30s or 2m15s"),
        ("1s.", "write numbers with units, such as 30s or 2m15s"),
        ("1.2.3s", "1.2 has no unit, such as s, m or h"),
        ("٣s", "write numbers with units, such as 30s or 2m15s"),
        ("2562048h", "it is too long, at most 292 years can be told"),
        (("9" * 308 + "s") * 2, "it is too long, at most 292 years can be told"),
        ("9" * 400 + "s", "it is too long, at most 292 years can be told"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r"^failed to parse duration ") as caught:
        parse_duration(text)
    assert str(caught.value) == f"failed to parse duration {text}: {reason}"


@given(st.text(max_size=20) | st.from_regex(r"([0-9.]{1,4}(s|m|h|d|ms|us|ns|x)){1,3}"))
def test_any_text_is_seconds_or_refused(text: str) -> None:
    try:
        seconds, message = parse_duration(text), ""
    except ValueError as error:
        seconds, message = 0, str(error)
    assert 0 <= seconds < 2**63 / 1e9
    assert not message or message.startswith(f"failed to parse duration {text}: ")


@given(st.lists(st.tuples(st.integers(0, 999), st.sampled_from(sorted(UNITS))), min_size=1))
def test_parts_add_up(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{number}{unit}" for number, unit in parts)
    assert parse_duration(text) == pytest.approx(sum(n * UNITS[unit] for n, unit in parts))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.0001, "0s"),
        (0.3, "300ms"),
        (0.9999, "1s"),
        (45, "45s"),
        (59.7, "1m"),
        (135, "2m15s"),
        (3600, "1h"),
        (3 * 86400, "3d"),
        (90061.4, "1d1h1m1s"),
    ],
)
def test_short_form(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, 292 * 365 * 86400))
@example(60)
def test_whole_seconds_come_back(seconds: int) -> None:
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(0, 1e9))
def test_the_short_form_is_no_more_than_half_a_second_away(seconds: float) -> None:
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= 0.5
