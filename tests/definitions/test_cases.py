"""Every folder below ``cases``: an Application and the objects it must give, exactly."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from velapulumi.render import RevisionNames, base_environment, load, render_environment

CASES = Path(__file__).parent / "cases"


@pytest.mark.parametrize(
    "case",
    sorted(CASES.glob("*/*/app.yaml")),
    ids=lambda path: "/".join(path.parts[-3:-1]),
)
def test_application_gives_the_expected_objects(case: Path) -> None:
    loaded = load(case)
    application = loaded.application
    environments = loaded.environments.values() or [base_environment(loaded)]
    revision = RevisionNames(f"{application.name}-v1")
    objects = [
        rendered.manifest
        for environment in environments
        for rendered in render_environment(application, environment, revision)
    ]
    expected = (case.parent / "expected.yaml").read_text("utf-8")
    assert objects == list(yaml.safe_load_all(expected))
