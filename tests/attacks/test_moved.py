"""A governed stage stays governed, however it is called and wherever it goes: attacks 4, 7, 8."""

from __future__ import annotations

import pytest

from tests.attacks.shop import APP, Shop
from tests.clusters import PROD, STAGING

AWAY = APP.replace(f"clusters: [{PROD}]}}", f"clusters: [{STAGING}], namespace: NAMESPACE-b}}")
RENAMED = APP.replace("name: prod, type: deploy", "name: live, type: deploy")
WITHOUT = APP[: APP.index("    - {name: prod, type: deploy")]


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        pytest.param(AWAY, (4,), id="moved"),
        pytest.param(RENAMED, (0, 4, 5), id="renamed", marks=pytest.mark.exhaustive),
        pytest.param(WITHOUT, (0, 4), id="removed", marks=pytest.mark.exhaustive),
    ],
)
def test_what_it_holds_on_the_governed_cluster_stays(
    shop: Shop, text: str, codes: tuple[int, ...]
) -> None:
    if "NAMESPACE-b" in text:
        shop.project.clusters[STAGING].kubectl("create", "namespace", f"{shop.namespace}-b")
    shop.write(1, text)
    shop.refused(*codes)
    assert shop.image() == "web:1"
    shop.write(2)
    shop.deliver("bob")
    assert shop.image() == "web:2"


def test_an_own_policy_for_another_name_of_the_stage_does_not_count(shop: Shop) -> None:
    """The ledger of the application is begun anew with the author's key."""
    mallory = shop.key("mallory").with_suffix(".pub").read_text()
    gates = shop.project.root / "gates"
    for name in ("ledger.jsonl", "gate.yaml", "journal.jsonl"):
        shop.file(name).rename(shop.project.root / name)
    (gates / "policy.yaml").rename(shop.project.root / "policy.yaml")
    signers = (gates / "allowed_signers").read_text()
    (gates / "allowed_signers").write_text(f"mallory {mallory}")
    shop.write(2, RENAMED)
    shop.refused(1, 4, 5)
    shop.project.run("approve", "shop", "-y", "--key", str(shop.key("mallory")))
    shop.refused(1, 4, 5)
    assert shop.image() == "web:1"

    (gates / "allowed_signers").write_text(signers)
    (shop.project.root / "policy.yaml").rename(gates / "policy.yaml")
    for name in ("ledger.jsonl", "gate.yaml", "journal.jsonl"):
        (shop.project.root / name).rename(shop.file(name))
    shop.write(2)
    shop.deliver("bob")
    assert shop.image() == "web:2"
