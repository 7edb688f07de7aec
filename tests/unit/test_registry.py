"""The joined clusters, their names and their credentials."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from tests.unit.helpers import SECRET, joined, kubeconfig, parsed
from velapulumi.clusters.client import Identity
from velapulumi.clusters.identity import Reached, reach
from velapulumi.clusters.membership import join_cluster, probe_cluster
from velapulumi.clusters.registry import JoinedCluster, RecordedVersion, Registry, check_name
from velapulumi.definitions import ClusterVersion
from velapulumi.errors import (
    ClusterUnreachable,
    InvalidFile,
    InvalidKubeconfig,
    UnknownCluster,
    UsageProblem,
    WrongCluster,
)
from velapulumi.program.surroundings import read_surroundings
from velapulumi.project import Project
from velapulumi.render import ClusterFacts, load

VERSION = ClusterVersion(1, 36, "v1.36.3", "linux/amd64")


@pytest.fixture
def registry(project: Project) -> Registry:
    found = Registry(project)
    for name in ("west", "east"):
        found.add(joined(name), parsed(kubeconfig(), project.root))
    return found


def test_what_is_joined_reads_back_by_name(project: Project, registry: Registry) -> None:
    assert registry.all() == [joined("east"), joined("west")]
    assert registry.get("west") == joined("west")
    assert Registry(project).all() == registry.all()
    assert registry.kubeconfig("east") == parsed(kubeconfig(), project.root).document


def test_an_empty_project_has_no_clusters(project: Project) -> None:
    assert Registry(project).all() == []


def test_credentials_lie_apart_for_their_owner_only(project: Project, registry: Registry) -> None:
    path = project.credentials / "east.kubeconfig"
    assert path.stat().st_mode & 0o777 == 0o600
    assert project.credentials.stat().st_mode & 0o777 == 0o700
    assert SECRET in path.read_text()
    assert SECRET not in project.registry_file.read_text()


def test_joining_again_replaces_the_entry(project: Project, registry: Registry) -> None:
    registry.add(joined("east", "another"), parsed(kubeconfig(token="new"), project.root))
    assert [entry.uid for entry in registry.all()] == ["another", "uid-west"]
    assert registry.kubeconfig("east")["users"][0]["user"] == {"token": "new"}


def test_a_removed_cluster_is_forgotten_with_its_credentials(
    project: Project, registry: Registry
) -> None:
    registry.remove("east")
    assert [entry.name for entry in registry.all()] == ["west"]
    assert not (project.credentials / "east.kubeconfig").exists()
    with pytest.raises(UnknownCluster, match=r"^no such cluster: east$") as caught:
        registry.get("east")
    assert caught.value.next_step == (
        "Join it with: velapulumi cluster join KUBECONFIG --name east"
    )


def test_a_cluster_that_a_colleague_joined_has_no_credentials_here(
    project: Project, registry: Registry
) -> None:
    (project.credentials / "east.kubeconfig").unlink()
    with pytest.raises(UnknownCluster, match=r"^no credentials for cluster east on this machine$"):
        registry.kubeconfig("east")


def test_damaged_credentials_are_named(project: Project, registry: Registry) -> None:
    path = project.credentials / "east.kubeconfig"
    path.write_text("current-context: [\n")
    with pytest.raises(InvalidKubeconfig, match=r"^failed to get kubeconfig: .*/east\.kubeconfig:"):
        registry.kubeconfig("east")


@pytest.mark.parametrize(
    ("find", "put", "line", "message"),
    [
        ("uid: uid-east", "uid: 7", 7, "clusters[0].uid: must be a string, is the number 7"),
        ("  type: token\n", "", 4, "clusters[0].type: is missing"),
        ("  type:", "  typ:", 5, 'clusters[0].typ: is an unknown field, did you mean "type"?'),
        ("kind: ClusterList", "kind: Gate", 2, "kind: must be 'ClusterList', is the string"),
        ("2026-01-02T03:04:05Z", "yesterday", 8, "clusters[0].joined: must be a time with a zone"),
        ("clusters:", "clusters", 3, "is not valid YAML"),
    ],
)
def test_a_damaged_registry_is_named_with_its_line(
    project: Project, registry: Registry, find: str, put: str, line: int, message: str
) -> None:
    text = project.registry_file.read_text()
    assert find in text
    project.registry_file.write_text(text.replace(find, put, 1))
    with pytest.raises(InvalidFile) as caught:
        registry.all()
    lines = caught.value.message.splitlines()
    assert any(text.startswith(f"{project.registry_file}:") and message in text for text in lines)
    places = [
        int(text.removeprefix(f"{project.registry_file}:").partition(":")[0]) for text in lines
    ]
    assert line in places or "YAML" in message


@pytest.mark.parametrize("name", ["a", "east", "eu-west.2", "0", "a" * 63])
def test_a_dns_name_may_be_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "ClusterName cannot be empty"),
        ("local", "ClusterName cannot be `local`, it is reserved as the local cluster"),
        *(
            (name, f"cluster name {name!r} is not a DNS name")
            for name in ("East", "-a", "a-", ".a", "a.", "a b", "a/b", "../a", "a\n", "ü", "a" * 64)
        ),
    ],
)
def test_a_name_that_no_cluster_may_have(name: str, message: str) -> None:
    with pytest.raises(UsageProblem) as caught:
        check_name(name)
    assert caught.value.message.startswith(message)


def test_what_is_known_of_a_cluster_reads_back_as_facts(
    project: Project, registry: Registry
) -> None:
    registry.update(
        "east",
        lambda entry: entry.model_copy(
            update={"labels": {"region": "eu"}, "version": RecordedVersion.of(VERSION)}
        ),
    )
    assert yaml.safe_load(project.registry_file.read_text())["clusters"] == [
        {
            **joined("east").model_dump(exclude_none=True, exclude={"formerly"}),
            "labels": {"region": "eu"},
            "version": {
                "major": 1,
                "minor": 36,
                "gitVersion": "v1.36.3",
                "platform": "linux/amd64",
            },
        },
        {**joined("west").model_dump(exclude_none=True, exclude={"formerly"}), "labels": {}},
    ]
    assert Registry(project).facts() == {
        "east": ClusterFacts({"region": "eu"}, VERSION, "east", "uid-east", "east"),
        "west": ClusterFacts({}, ClusterVersion(), "west", "uid-west", "west"),
    }


def test_a_registry_from_before_labels_and_versions_reads(project: Project) -> None:
    project.registry_file.write_text(
        "apiVersion: velapulumi.dev/v1\nkind: ClusterList\nclusters:\n"
        "- name: east\n  type: token\n  endpoint: https://127.0.0.1:1\n  uid: uid-east\n"
        "  joined: '2026-01-02T03:04:05Z'\n"
    )
    assert Registry(project).all() == [joined("east")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: {region: 1}", "clusters[0].labels.region: must be a string, is the number 1"),
        ("labels: {-a: b}", "clusters[0].labels: label key '-a' is not of the form NAME or"),
        ("labels: {a: b c}", "clusters[0].labels: label value 'b c' is not up to 63 letters"),
        ("version: 1.30", "clusters[0].version: must be a map, is the number 1.3"),
        ("version: {minor: 30, gitVersion: v1}", "clusters[0].version.major: is missing"),
    ],
)
def test_odd_labels_and_versions_are_told(
    project: Project, registry: Registry, text: str, message: str
) -> None:
    registry.remove("west")
    written = project.registry_file.read_text()
    project.registry_file.write_text(written.replace("labels: {}", text))
    with pytest.raises(InvalidFile) as caught:
        registry.all()
    assert message in caught.value.message


def test_a_name_leads_to_no_file_elsewhere(project: Project, registry: Registry) -> None:
    written = project.registry_file.read_text()
    project.registry_file.write_text(written.replace("name: west", "name: ../../west"))
    with pytest.raises(InvalidFile) as caught:
        registry.all()
    assert "clusters[1].name: must be a DNS name, is '../../west'" in caught.value.message


def test_a_renamed_cluster_keeps_all_else(project: Project, registry: Registry) -> None:
    before = registry.kubeconfig("east")
    registry.rename("east", "north")
    north = joined("north", "uid-east").model_copy(update={"formerly": ("east",)})
    assert registry.all() == [north, joined("west")]
    assert registry.kubeconfig("north") == before
    assert not (project.credentials / "east.kubeconfig").exists()
    with pytest.raises(UnknownCluster, match=r"^no such cluster: east$") as caught:
        registry.rename("east", "south")
    assert caught.value.next_step == (
        "It is called north now: write north instead of east in the file."
    )
    with pytest.raises(UsageProblem, match=r"^cannot set cluster name to west: cluster west is"):
        registry.rename("north", "west")
    assert [entry.uid for entry in registry.all()] == ["uid-east", "uid-west"]


def test_a_cluster_without_credentials_here_is_renamed_all_the_same(
    project: Project, registry: Registry
) -> None:
    (project.credentials / "east.kubeconfig").unlink()
    registry.rename("east", "north")
    assert [entry.name for entry in registry.all()] == ["north", "west"]


def alias(name: str, of: str, *, second: int = 6) -> JoinedCluster:
    """Another name of a cluster, joined a second later than `joined` unless said otherwise."""
    at = f"2026-01-02T03:04:0{second}Z"
    return joined(name, f"uid-{of}").model_copy(update={"joined": at})


@pytest.fixture
def aliased(project: Project, registry: Registry) -> Registry:
    """East is called a-east, too."""
    registry.add(alias("a-east", "east"), parsed(kubeconfig(token="a"), project.root))
    return registry


def test_the_name_that_was_joined_first_is_canonical(aliased: Registry) -> None:
    names = {name: aliased.canonical(name) for name in ("a-east", "east", "west", "north")}
    assert names == {"a-east": "east", "east": "east", "west": "west", "north": "north"}
    assert aliased.names_of("a-east") == aliased.names_of("east") == ("east", "a-east")
    assert aliased.names_of("north") == ("north",)
    assert [aliased.name_of(uid) for uid in ("uid-east", "uid-west", "uid")] == [
        "east", "west", None,
    ]  # fmt: skip
    assert aliased.aliases() == {"a-east": "east"}
    facts = aliased.facts()
    assert {name: found.name for name, found in facts.items()} == {
        "a-east": "east", "east": "east", "west": "west",
    }  # fmt: skip


def test_times_are_compared_as_times_and_ties_by_name(project: Project, registry: Registry) -> None:
    credentials = parsed(kubeconfig(), project.root)
    registry.add(alias("a-east", "east", second=5), credentials)
    assert registry.canonical("east") == "a-east"
    early = joined("z-west", "uid-west").model_copy(update={"joined": "2026-01-02T04:04:04+01:00"})
    registry.add(early, credentials)
    assert registry.canonical("west") == "z-west"


def first_names(registry: Registry) -> dict[str, str]:
    return {name: facts.first_name for name, facts in registry.facts().items()}


def test_objects_carry_the_first_name_whatever_becomes_of_it(
    project: Project, aliased: Registry
) -> None:
    credentials = parsed(kubeconfig(), project.root)
    aliased.rename("east", "b-east")
    assert aliased.canonical("a-east") == "b-east"
    assert first_names(aliased) == {"a-east": "east", "b-east": "east", "west": "west"}
    aliased.rename("b-east", "c-east")
    aliased.remove("c-east")
    assert aliased.names_of("a-east") == ("a-east",)
    assert first_names(aliased) == {"a-east": "east", "west": "west"}
    for gone in ("east", "b-east", "c-east"):
        with pytest.raises(UnknownCluster) as caught:
            aliased.get(gone)
        assert caught.value.next_step.startswith("It is called a-east now")
    aliased.add(alias("east", "east", second=7), credentials)
    assert aliased.aliases() == {"east": "a-east"}
    assert first_names(aliased) == {"a-east": "east", "east": "east", "west": "west"}


def test_a_name_that_another_cluster_is_given_is_its_own(
    project: Project, registry: Registry
) -> None:
    registry.rename("east", "old")
    registry.add(joined("east", "uid-new"), parsed(kubeconfig(), project.root))
    assert first_names(registry) == {"east": "east", "old": "old", "west": "west"}
    assert registry.get("old").formerly == ()
    registry.rename("east", "new")
    assert first_names(registry) == {"new": "east", "old": "old", "west": "west"}


def test_an_alias_that_goes_takes_nothing_with_it(aliased: Registry) -> None:
    aliased.remove("a-east")
    assert aliased.canonical("east") == "east"
    assert first_names(aliased) == {"east": "east", "west": "west"}
    with pytest.raises(UnknownCluster) as caught:
        aliased.get("a-east")
    assert caught.value.next_step.startswith("It is called east now")


def test_credentials_of_any_name_of_a_cluster_serve_all(
    project: Project, aliased: Registry
) -> None:
    (project.credentials / "east.kubeconfig").unlink()  # a colleague joined it as east
    assert aliased.kubeconfig("east")["users"][0]["user"] == {"token": "a"}
    (project.credentials / "west.kubeconfig").rename(project.credentials / "kept")
    aliased.rename("west", "north")  # as seen on a machine where a colleague's rename arrives
    (project.credentials / "kept").rename(project.credentials / "west.kubeconfig")
    assert aliased.kubeconfig("north")["users"][0]["user"] == {"token": SECRET}


def test_former_names_count_in_the_kept_file_of_a_revision(
    project: Project, aliased: Registry
) -> None:
    aliased.update("east", lambda entry: entry.model_copy(update={"labels": {"a": "b"}}))
    aliased.rename("east", "b-east")
    facts = aliased.facts(former=True)
    assert set(facts) == set(aliased.facts()) | {"east"} == {"a-east", "b-east", "east", "west"}
    assert facts["east"] == replace(facts["b-east"], labels={})
    document = {
        "apiVersion": "core.oam.dev/v1beta1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {
            "components": [{"name": "web", "type": "worker", "properties": {"image": "i"}}],
            "policies": [{"name": "p", "type": "topology", "properties": {"clusters": ["east"]}}],
        },
    }
    kept = project.revision_file("shop", "shop-v1")
    kept.parent.mkdir()
    for file, cluster in ((kept, "b-east"), (project.root / "app.yaml", "east")):
        file.write_text(yaml.safe_dump(document))
        loaded = load(file, read_surroundings(project, file))
        ((place,),) = (each.placements for each in loaded.environments.values())
        assert place.cluster == cluster


def test_all_names_are_compared_with_patterns(aliased: Registry) -> None:
    aliased.rename("east", "b-east")
    names = aliased.names()
    for name in ("a-east", "b-east", "east"):
        assert set(names.every_name([name])) == {"a-east", "b-east", "east"}
    assert names.every_name(["west", "north"]) == ("west", "north")


@pytest.fixture
def identities(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """UIDs that clusters answer with, by name; one that is not there does not answer."""
    found: dict[str, str] = {}

    class Answering:
        def __init__(self, name: str, kubeconfig: Any, **options: Any) -> None:
            self.name = name
            self.endpoint = kubeconfig["clusters"][0]["cluster"]["server"]

        def identity(self) -> Identity:
            if self.name not in found:
                raise ClusterUnreachable(f"cluster {self.name} cannot be reached: gone")
            return Identity(found[self.name], VERSION)

    monkeypatch.setattr("velapulumi.clusters.membership.Cluster", Answering)
    monkeypatch.setattr("velapulumi.clusters.identity.Cluster", Answering)
    return found


def test_a_cluster_is_joined_under_its_own_name_or_the_one_given(
    project: Project, identities: dict[str, str]
) -> None:
    path = project.root / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    identities.update(one="uid-1", east="uid-1")
    first, twins = join_cluster(project, path, None)
    assert (first.name, first.uid, first.type, twins) == ("one", "uid-1", "token", ())
    second, twins = join_cluster(project, path, "east")
    assert (second.name, twins) == ("east", ("one",))
    _, twins = join_cluster(project, path, "east")
    assert twins == ("one",)
    _, twins = join_cluster(project, path, None)
    assert twins == ("east",)


def test_joining_never_changes_the_canonical_name(
    project: Project, identities: dict[str, str]
) -> None:
    path = project.root / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    names = ("z", "y", "x")
    identities.update(dict.fromkeys(names, "uid-1"))
    times = [join_cluster(project, path, name)[0].joined for name in names]
    assert times == sorted(set(times))
    registry = Registry(project)
    assert registry.names_of("x") == names
    registry.rename("z", "w")
    before = registry.get("w")
    identities["w"] = "uid-1"
    join_cluster(project, path, "w", {"a": "b"})
    again = registry.get("w")
    assert (again.joined, again.formerly, again.labels) == (before.joined, ("z",), {"a": "b"})
    assert registry.canonical("x") == "w"


def test_a_probe_is_for_all_names(project: Project, identities: dict[str, str]) -> None:
    path = project.root / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    identities.update(one="uid-1", two="uid-1")
    for name in ("one", "two"):
        join_cluster(project, path, name)
        Registry(project).update(name, lambda e: e.model_copy(update={"version": None}))
    assert probe_cluster(project, "two").name == "two"
    assert {f.version for f in Registry(project).facts().values()} == {VERSION}


def test_a_name_does_not_change_hands(project: Project, identities: dict[str, str]) -> None:
    path = project.root / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    identities["east"] = "uid-1"
    join_cluster(project, path, "east")
    before = project.registry_file.read_text()
    identities["east"] = "uid-2"
    with pytest.raises(WrongCluster, match=r"^cluster east is already joined and is another"):
        join_cluster(project, path, "east")
    assert project.registry_file.read_text() == before


def test_what_does_not_answer_is_not_joined(project: Project, identities: dict[str, str]) -> None:
    path = project.root / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    with pytest.raises(ClusterUnreachable):
        join_cluster(project, path, "east")
    assert not project.registry_file.exists()
    assert not (project.credentials / "east.kubeconfig").exists()


def test_each_cluster_is_reached_or_told_why_not(
    project: Project, registry: Registry, identities: dict[str, str]
) -> None:
    registry.add(joined("north"), parsed(kubeconfig(), project.root))
    identities.update(east="uid-east", west="rebuilt")
    found = reach(project, ["west", "east", "north", "south", "east"])
    assert list(found) == ["east", "north", "south", "west"]
    east = found["east"]
    assert not isinstance(east, Exception)
    assert (east.joined, east.identity.uid) == (joined("east"), "uid-east")
    assert isinstance(found["north"], ClusterUnreachable)
    assert isinstance(found["south"], UnknownCluster)
    assert isinstance(found["west"], WrongCluster)
    assert found["west"].message == (
        "cluster west at https://127.0.0.1:1 is not the one joined under that name: "
        "its identity is rebuilt, joined was uid-west"
    )
    assert reach(project, []) == {}


def join(project: Project, labels: dict[str, str] | None = None) -> JoinedCluster:
    path = project.root / "config"
    path.write_text(yaml.safe_dump(kubeconfig()))
    join_cluster(project, path, "east", labels)
    return Registry(project).get("east")


def test_joining_again_keeps_labels_unless_they_are_given(
    project: Project, identities: dict[str, str]
) -> None:
    identities["east"] = "uid-1"
    first = join(project, {"region": "eu"})
    assert first.labels == {"region": "eu"}
    assert first.version is not None
    assert first.version.value == VERSION
    assert join(project).labels == {"region": "eu"}
    assert join(project, {"tier": "gold"}).labels == {"tier": "gold"}
    assert join(project, {}).labels == {}


def test_an_upgraded_cluster_is_told_until_it_is_probed(
    project: Project, registry: Registry, identities: dict[str, str]
) -> None:
    identities["east"] = "uid-east"
    old = RecordedVersion(major=1, minor=35, gitVersion="v1.35.0")
    for version, warning in (
        (None, ""),
        (RecordedVersion.of(VERSION), ""),
        (
            old,
            "cluster east runs v1.36.3 now, v1.35.0 is recorded: "
            "run `velapulumi cluster probe east`",
        ),
    ):
        registry.update("east", lambda e, v=version: e.model_copy(update={"version": v}))  # type: ignore[misc]
        found = reach(project, ["east"])["east"]
        assert isinstance(found, Reached)
        assert (found.warning, found.identity.version) == (warning, VERSION)
    assert probe_cluster(project, "east").version == RecordedVersion.of(VERSION)
    assert registry.facts()["east"].version == VERSION
    again = project.registry_file.stat().st_mtime_ns
    probe_cluster(project, "east")
    assert project.registry_file.stat().st_mtime_ns == again


def test_only_the_cluster_that_was_joined_is_probed(
    project: Project, registry: Registry, identities: dict[str, str]
) -> None:
    before = project.registry_file.read_bytes()
    identities["east"] = "rebuilt"
    for name, error in (
        ("east", WrongCluster),
        ("west", ClusterUnreachable),
        ("gone", UnknownCluster),
    ):
        with pytest.raises(error):
            probe_cluster(project, name)
    assert project.registry_file.read_bytes() == before
