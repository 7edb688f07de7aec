"""Durations as parameters."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from velapulumi.spec import parse_duration


def _readable(text: str) -> str:
    parse_duration(text)
    return text


Duration = Annotated[str, AfterValidator(_readable)]
"""A duration as Go writes it, such as ``30s`` or ``2m15s``."""
