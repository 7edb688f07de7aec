"""Lines that nobody signs open nothing: attacks 1, 2 and 29."""

from __future__ import annotations

from tests.attacks.shop import Shop
from velapulumi.gate.statement import StatementKind

ABOUT = ("step", "stages", "clusters", "revision", "run", "plan")


def test_forged_lines_neither_approve_nor_say_that_a_delivery_has_begun(shop: Shop) -> None:
    shop.govern(2)
    adopted = shop.project.run("trust", "adopt", "shop", "--key", str(shop.key("carol")))
    assert adopted.returncode == 0, adopted.stderr
    shop.write(2)
    assert shop.up().returncode == 4
    shop.approve("alice")
    approval = shop.ledger()[-1]
    ledger = shop.file("ledger.jsonl")
    honest = ledger.read_bytes()
    about = {
        key: approval[key] for key in ("step", "stages", "clusters", "revision", "run", "plan")
    }
    head = _head(shop)

    shop.forge(kind=StatementKind.USE, approvals=(head,), **about)
    assert "1 of 2 approvals by role release" in shop.refused(4)
    ledger.write_bytes(honest)

    auto = shop.forge(kind=StatementKind.AUTO, **about)
    shop.forge(kind=StatementKind.USE, approvals=(head, auto), **about)
    assert "1 of 2 approvals by role release" in shop.refused(4)
    with shop.untouched():
        plain = shop.project.pulumi("up", "--yes", "--skip-preview", "--stack", "shop.prod")
    assert plain.returncode != 0
    assert shop.image() == "web:1"

    ledger.write_bytes(honest)
    shop.approve("bob")
    done = shop.up()
    assert done.returncode == 0, done.stdout + done.stderr
    assert shop.image() == "web:2"


def _head(shop: Shop) -> str:
    from velapulumi.gate.ledger import read_ledger

    return read_ledger(shop.file("ledger.jsonl"), "shop").head
