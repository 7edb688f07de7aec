"""An API server that fails, hangs or dies at any moment: named soon, nothing else is touched.

The cluster of one stage is reached through a server that goes wrong at a given moment. The run ends
by itself in bounded time with an error that names the cluster; the other stage keeps what it has;
and when the server is well again the next run comes to the same end as if nothing had been.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from threading import Timer

import pytest
import yaml

from tests.clusters import PROD, STAGING, Cluster
from tests.e2e.evidence import NOTHING, Evidence
from tests.e2e.faulty import Fault, FaultyServer, writes
from tests.e2e.places import APP, LEFT, RIGHT, Ground, Place, Whole, all_well, prepared, well
from tests.e2e.test_failures import wait_for

PATIENCE = 12
"""Seconds an object may take in these tests; a cluster may be gone for half of it."""

BOUND = 40
"""Seconds after which the slowest of these runs has ended, on a machine that is busy."""

RARE = pytest.mark.exhaustive
BAD = (Fault.DOWN, Fault.ERROR, Fault.HANG)
REACHES = f"cluster {PROD} at http://127.0.0.1:"


@pytest.fixture(scope="module")
def ground(
    tmp_path_factory: pytest.TempPathFactory, clusters: dict[str, Cluster]
) -> Iterator[Ground]:
    text = APP.replace("probeTimeout: 60", f"probeTimeout: {PATIENCE}")
    with prepared(tmp_path_factory.mktemp("faults"), clusters) as template:
        yield Ground(template, "fault", text)


def from_the_start(server: FaultyServer, fault: Fault) -> None:
    """It is wrong before the stage begins."""
    server.fail(fault)


def after_the_plan(server: FaultyServer, fault: Fault) -> None:
    """It goes wrong when it has been asked about all objects, and before the stage begins."""
    server.fail_after(3, partial(server.fail, fault), dry_runs=True)


def in_the_middle(server: FaultyServer, fault: Fault) -> None:
    """It goes wrong when the first object has been written."""
    server.fail_after(1, partial(server.fail, fault))


def while_waiting(server: FaultyServer, fault: Fault) -> None:
    """It goes wrong when all objects have been written, and before they are ready."""
    server.fail_after(3, partial(server.fail, fault))


Moment = Callable[[FaultyServer, Fault], None]


def fault_case(ground: Ground, moment: Moment, fault: Fault) -> str:
    """Have the second stage's server go wrong; what is wrong then, empty when nothing is."""
    name = f"{moment.__name__.replace('_', '-')}-{fault.name}"
    place = ground.place(name)
    with place.through(PROD) as server:
        moment(server, fault)
        began = time.monotonic()
        failed = place.up(LEFT)
        took = time.monotonic() - began
        ends = {1: f"Error [VP201]: {REACHES}"}
        if moment is while_waiting and fault is Fault.ERROR:
            # Watches that are open go on; so the engine may end well before health is asked for.
            ends[6] = "Error [VP303]: stage prod has failed: cluster-prod: not healthy after 12s"
        problems = wrong(failed, ends)
        if took > BOUND:
            problems += f"; took {took:.0f}s: {failed.stderr}"
        staging = versions(place)
        server.mend()
        problems += mended(place, LEFT, ground.first, NOTHING)
        if versions(place) != staging:
            problems += "; touched the other stage"
    return f"{name}: {problems}" if problems else ""


def wrong(failed: subprocess.CompletedProcess[str], ends: dict[int, str]) -> str:
    """What is wrong with how a run failed; ``ends`` are the exit codes and errors it may have."""
    text = ends.get(failed.returncode)
    if text is None or text not in failed.stderr or "Traceback" in failed.stderr:
        return f"ended with {failed.returncode}: {failed.stderr}"
    return ""


def mended(place: Place, side: str, whole: Whole, before: Evidence) -> str:
    """Run it again with a server that is well; what is wrong with the end."""
    done = place.up(side)
    if done.returncode != 0:
        return f"; does not go on: {done.stderr}"
    return whole.problems(place.evidence(), before)


def versions(place: Place) -> dict[str, str]:
    """The version of each object of the first stage."""
    return {
        f"{kind} {name}": item["metadata"]["resourceVersion"]
        for (cluster, kind, name), item in place.objects().items()
        if cluster == STAGING
    }


MOMENTS = [
    in_the_middle,
    *(pytest.param(each, marks=RARE) for each in (from_the_start, after_the_plan, while_waiting)),
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_stage_whose_server_is_wrong(ground: Ground, moment: Moment) -> None:
    assert ground.first.kinds[-1] == "finish"
    all_well(partial(fault_case, ground, moment, fault) for fault in BAD)


def test_a_server_that_comes_back_in_time_is_waited_for(ground: Ground) -> None:
    place = ground.place("back")
    with place.through(PROD) as server:

        def restart() -> None:
            server.fail(Fault.DOWN)
            timer.start()

        timer = Timer(2, server.mend)
        server.fail_after(3, restart)
        done = place.up(LEFT)
        timer.join()
        assert done.returncode == 0, done.stderr
        well(ground.first.problems(place.evidence()))


@pytest.mark.parametrize("times", [1, pytest.param(0, marks=RARE)])
def test_a_server_that_refuses_to_write(ground: Ground, times: int) -> None:
    place = ground.place(f"write-{times}")
    with place.through(PROD) as server:
        server.fail(Fault.ERROR, only=writes, times=times)
        failed = place.up(LEFT)
        well(wrong(failed, {1: "Error [VP301]: stack shop.prod: "}))
        assert "etcdserver: request timed out" in failed.stderr
        server.mend()
        well(mended(place, LEFT, ground.first, NOTHING))


@RARE
def test_a_server_that_goes_while_old_objects_are_deleted(ground: Ground) -> None:
    place = ground.place("collect")
    assert place.up(LEFT).returncode == 0
    before = place.evidence()
    with place.through(PROD) as server:
        running = place.project.start("up", "-f", place.write(RIGHT))
        wait_for(lambda: place.kinds()[-2:] == ["collected", "collect"])
        server.fail(Fault.DOWN)
        _, errors = running.communicate(timeout=BOUND)
        assert running.returncode == 1
        assert f"Error [VP201]: {REACHES}" in errors
        assert (PROD, "Deployment", LEFT) in place.objects()
        server.mend()
        well(mended(place, RIGHT, ground.edits[RIGHT], before))


SPREAD = """
    - name: both
      type: deploy
      properties:
        policies: [staging, prod]
        rolloutStrategy: {type: Progressive, progressive: {maxFailures: 1}}
"""


def test_the_others_are_delivered_where_one_may_fail(ground: Ground) -> None:
    place = ground.place("spread")
    place.text = ground.text.partition("    - {name: staging, type: deploy")[0] + SPREAD
    with place.through(PROD) as server:
        in_the_middle(server, Fault.DOWN)
        failed = place.up(LEFT)
        well(wrong(failed, {7: "Error [VP306]: "}))
        assert "is delivered but for both on cluster-prod" in failed.stderr
        ready = {key: item["status"].get("readyReplicas") for key, item in place.objects().items()}
        assert ready[STAGING, "Deployment", "web"] == ready[STAGING, "Deployment", LEFT] == 1
        staging = versions(place)
        server.mend()
        done = place.up(LEFT)
        assert done.returncode == 0, done.stderr
        assert versions(place) == staging
        end = place.evidence()
        assert end.objects.keys() == ground.first.end.objects.keys()
        assert end.held == end.objects.keys()


def test_credentials_that_are_taken_away_between_two_stages(ground: Ground) -> None:
    place = ground.place("credentials")
    folder = place.project.root / ".velapulumi" / "credentials"
    known, bad = folder / f"{PROD}.kubeconfig", place.project.root / "bad.kubeconfig"
    good = known.read_text()
    kubeconfig = yaml.safe_load(good)
    kubeconfig["users"][0]["user"] = {"token": "not-the-one"}
    bad.write_text(yaml.safe_dump(kubeconfig))
    act = "{name: tell, type: print-message-in-status, properties: {message: Staging has it.}}"
    damage = f'{{name: tell, type: run, properties: {{command: [cp, "{bad}", "{known}"]}}}}'
    assert act in place.text
    place.text = place.text.replace(act, damage)
    failed = place.up(LEFT)
    well(wrong(failed, {1: f"Error [VP201]: cluster {PROD} at https://127.0.0.1:"}))
    assert "cannot be reached: HTTP 401: Unauthorized" in failed.stderr
    assert "not-the-one" not in failed.stderr + place.journal_file.read_text()
    assert {cluster for cluster, _, _ in place.objects()} == {STAGING}
    staging = versions(place)
    known.write_text(good)
    done = place.up(LEFT)
    assert done.returncode == 0, done.stderr
    assert versions(place) == staging
    assert place.evidence().objects == ground.first.end.objects
