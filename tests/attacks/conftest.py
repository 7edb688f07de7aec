"""A governed application for each attack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.attacks.shop import Shop
from tests.clusters import Project


@pytest.fixture
def shop(project: Project, namespace: str, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Delivered everywhere once, under a policy of one approval."""
    made = Shop(project, namespace, Path(tmp_path_factory.mktemp("keys")))
    made.govern()
    made.write(1)
    made.deliver("alice")
    return made
