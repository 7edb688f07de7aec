"""A run that is over never comes back: attacks 3, 19 and 23."""

from __future__ import annotations

import shutil

import pytest

from tests.attacks.shop import Shop


def test_an_approval_that_is_used_up_opens_nothing_after_the_application_was_deleted(
    shop: Shop,
) -> None:
    deleted = shop.project.run("delete", "shop", "-y")
    assert deleted.returncode == 0, deleted.stderr
    assert "is not approved" in shop.refused(4)
    shop.approve("bob")
    assert shop.up().returncode == 0
    assert shop.image() == "web:1"


@pytest.mark.exhaustive
def test_a_gate_file_that_is_set_back_begins_a_new_run(shop: Shop) -> None:
    old = shop.project.root / "old"
    shutil.copytree(shop.project.root / "stacks", old)
    shop.write(2)
    shop.deliver("alice")
    shop.write(1)
    shutil.copy(old / "shop.gate.yaml", shop.file("gate.yaml"))
    shutil.copy(old / "shop.journal.jsonl", shop.file("journal.jsonl"))
    assert "is not approved" in shop.refused(4)
    assert shop.image() == "web:2"
    shop.approve("bob")
    assert shop.up().returncode == 0
    assert shop.image() == "web:1"
