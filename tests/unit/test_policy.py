"""The gate policy: what it says, when nothing goes, and what of it can never be met."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from velapulumi.errors import InvalidFile
from velapulumi.gate.policy import Policy, policy_json, policy_of, read_policy

HEAD = """\
apiVersion: velapulumi.dev/v1
kind: GatePolicy
roles: {release: [ann, bob], sre: [carol]}
"""
RULE = "stages:\n- {stages: [prod], approvals: [{role: release}]%s}\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "policy.yaml"


def read(path: Path, text: str) -> Policy:
    path.write_text(text)
    found = read_policy(path)
    assert found is not None
    assert policy_of(policy_json(found)) == found
    return found


def test_without_a_file_there_is_none(path: Path) -> None:
    assert read_policy(path) is None


def test_all_rules_that_fit_count(path: Path) -> None:
    found = read(
        path,
        HEAD
        + """\
stages:
- {stages: ["prod-eu*"], approvals: [{role: sre}], expires: 8h, bake: 30m}
- {stages: ["prod*", late], applications: ["shop*"], approvals: [{role: release, count: 2}]}
changes: {role: sre}
registries: [registry.example.com]
""",
    )
    rules = {
        (app, stage): found.rules_for(app, stage)
        for app in ("shop", "site")
        for stage in ("prod-eu-1", "prod", "late", "staging")
    }
    first, second = found.stages
    placed = read(path, HEAD + "stages:\n- {clusters: ['prod-*'], approvals: [{role: sre}]}\n")
    assert placed.rules_for("shop", "any", ["staging", "prod-eu"]) == placed.stages
    assert placed.rules_for("shop", "prod-eu", ["staging"]) == ()
    assert rules["shop", "prod-eu-1"] == (first, second)
    assert rules["site", "prod-eu-1"] == (first,)
    assert rules["shop", "prod"] == rules["shop", "late"] == (second,)
    assert rules["site", "prod"] == rules["shop", "staging"] == ()
    assert (first.lifetime.total_seconds(), first.bake_seconds) == (28800, 1800)
    assert (second.lifetime.total_seconds(), second.bake_seconds) == (86400, 0)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (RULE % ", expires: soon", ":5: stages[0].expires: "),
        (RULE % ", expires: 0s", ":5: stages[0].expires: must be longer than 0"),
        (RULE % ", bake: 5", ":5: stages[0].bake: must be a string"),
        (
            RULE % ", breakGlass: {role: sry}",
            'role sry, which is not one of roles, did you mean "sre"?',
        ),
        (RULE % ", auto: {only: [secrets]}", ":5: stages[0].auto.only[0]: must be "),
        (RULE % ", auto: {only: []}", ":5: stages[0].auto: only must have at least one"),
        (RULE % ", freeze: [{}]", "must have from and to, or days"),
        (RULE % ", freeze: [{days: [Friday]}]", "days[0]: must be 'Mon'"),
        (
            RULE % ", freeze: [{days: [Fri], zone: Berlin}]",
            "must be a time zone such as Europe/Berl",
        ),
        (RULE % ', freeze: [{days: [Fri], hours: "9-10"}]', "must be hours such as"),
        (RULE % ', freeze: [{days: [Fri], hours: "25:00-26:00"}]', "must be hours such as"),
        (RULE % ', freeze: [{from: "2026-01-01T00:00:00Z"}]', "must have both from and to"),
        (RULE % ', freeze: [{from: "2026-01-01", to: "2026-01-02"}]', "must be a time with a zone"),
        (
            RULE % ', freeze: [{from: "2026-01-02T00:00:00Z", to: "2026-01-01T00:00:00Z"}]',
            "from must be before to",
        ),
        (
            RULE
            % ', freeze: [{from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z", days: [Fri]}]',
            "must have either from and to, or days",
        ),
        (
            "stages: [{stages: [], approvals: [{role: sre}]}]\n",
            "must have stages or clusters",
        ),
        ("stages: [{stages: [''], approvals: [{role: sre}]}]\n", "stages[0]: must not be empty"),
        ("stages: [{stages: [p], approvals: []}]\n", "approvals must have at least one role"),
        (
            "stages: [{stages: [p], approvals: [{role: sre, count: 0}]}]\n",
            "must be at least 1, is 0",
        ),
        (
            "stages: [{stages: [p], approvals: [{role: sre, count: 2}]}]\n",
            "approvals[0].count: is 2, but role sre has only 1 person",
        ),
        (
            "stages: [{stages: [p], approvals: [{role: sre}, {role: sre}]}]\n",
            "ask for 2 people, but the roles together do not have as many",
        ),
        ("changes: {role: nobody}\n", "changes.role: names role nobody"),
        ("changes: {role: sre, count: 2}\n", "changes.count: is 2, but role sre has only 1 person"),
        ("roles: {}\n", "roles: is given twice"),
        ("rules: []\n", "rules: is an unknown field"),
    ],
)
def test_what_cannot_be_met_or_read_is_named_with_its_place(
    path: Path, text: str, problem: str
) -> None:
    path.write_text(HEAD + text)
    with pytest.raises(InvalidFile) as caught:
        read_policy(path)
    assert problem in caught.value.message
    assert caught.value.message.startswith(f"{path}:")


def test_a_role_must_have_somebody(path: Path) -> None:
    path.write_text(HEAD.replace("[carol]", "[]"))
    with pytest.raises(InvalidFile, match=r"roles\.sre: must name at least one person"):
        read_policy(path)


def test_a_damaged_one_in_a_ledger_is_named() -> None:
    with pytest.raises(InvalidFile, match="the gate policy in the ledger: roles: is missing"):
        policy_of('{"apiVersion":"velapulumi.dev/v1","kind":"GatePolicy"}')


@pytest.mark.parametrize(
    ("window", "moment", "holds"),
    [
        (
            'from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00+01:00"',
            "2026-01-01T00:00:00",
            True,
        ),
        (
            'from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00+01:00"',
            "2026-01-01T23:00:00",
            False,
        ),
        ("days: [Fri]", "2026-11-27T00:00:00", True),
        ("days: [Fri]", "2026-11-26T23:59:59", False),
        ("days: [Fri], zone: Europe/Berlin", "2026-11-26T23:00:00", True),
        ("days: [Fri], zone: Europe/Berlin", "2026-11-27T23:00:00", False),
        ('days: [Fri], hours: "15:00-24:00"', "2026-11-27T14:59:59", False),
        ('days: [Fri], hours: "15:00-24:00"', "2026-11-27T23:59:59", True),
        ('days: [Fri], hours: "22:00-06:00"', "2026-11-28T05:59:59", True),
        ('days: [Fri], hours: "22:00-06:00"', "2026-11-28T06:00:00", False),
        ('days: [Fri], hours: "22:00-06:00"', "2026-11-27T05:00:00", False),
        # In Berlin the clock goes from 3 back to 2 on 2026-10-25, and from 2 to 3 on 2026-03-29.
        ('days: [Sun], hours: "01:00-02:30", zone: Europe/Berlin', "2026-10-25T01:15:00", True),
        ('days: [Sun], hours: "01:00-02:30", zone: Europe/Berlin', "2026-10-25T01:45:00", False),
        ('days: [Sun], hours: "02:30-04:00", zone: Europe/Berlin', "2026-03-29T01:15:00", True),
        ('days: [Sun], hours: "02:30-04:00", zone: Europe/Berlin', "2026-03-29T02:00:00", False),
    ],
)
def test_a_window_holds_in_its_zone(path: Path, window: str, moment: str, holds: bool) -> None:
    rule = read(path, HEAD + RULE % f", freeze: [{{{window}, reason: rest}}]").stages[0]
    text = rule.frozen(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert bool(text) is holds
    assert text == "" or text.startswith("rest (")
