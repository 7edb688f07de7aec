"""Every file below ``cases``: a bad Application and the text a person reads about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from velapulumi.errors import InvalidApplication
from velapulumi.render import parse

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize("case", sorted(CASES.glob("*.yaml")), ids=lambda path: path.stem)
def test_all_problems_are_listed(case: Path) -> None:
    with pytest.raises(InvalidApplication) as refused:
        parse(case.read_text("utf-8"), "app.yaml")
    assert str(refused.value) + "\n" == case.with_suffix(".txt").read_text("utf-8")
