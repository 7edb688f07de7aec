"""Objects that several applications share: joining in, and giving up one's part.

The annotation ``app.oam.dev/shared-by`` names them, the owner first; the labels name the owner
alone. Everybody changes both only from a state he has seen, so that no one is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from velapulumi.clusters.client import Cluster
from velapulumi.errors import ObjectRefused
from velapulumi.render.rules import PROJECT, SHARERS, TAKEN, owner_of, ownership, sharers_of

_ATTEMPTS = 5


def join(client: Cluster, manifest: Mapping[str, Any], application: str) -> None:
    """Add an application to those that share an object.

    Args:
        client: The object's cluster.
        manifest: Names the object; nothing happens when it is not there.
        application: ``<namespace>/<name>``.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object kept changing.
    """

    def act(live: Mapping[str, Any]) -> None:
        names = sharers_of(live)
        if application not in names:
            client.merge(manifest, _change(live, (*names, application)))

    change_live(client, manifest, act)


def give_up(
    client: Cluster,
    manifest: Mapping[str, Any],
    application: str,
    check: Callable[[Mapping[str, Any]], None],
) -> None:
    """End an application's part in an object that stays.

    Where others share it, the next of them becomes its owner, else it belongs to nobody from then
    on.

    Args:
        client: The object's cluster.
        manifest: Names the object; nothing happens when it is not there.
        application: ``<namespace>/<name>``.
        check: Is given the object as it is before each attempt, and raises where it is not to be
            written.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object kept changing.
    """

    def act(live: Mapping[str, Any]) -> None:
        check(live)
        names = sharers_of(live)
        others = tuple(name for name in names if name != application)
        if owner_of(live) != application:
            if application in names:
                client.merge(manifest, _change(live, others))
        else:
            client.merge(manifest, _change(live, others, owner=others[0] if others else ""))

    change_live(client, manifest, act)


def change_live(
    client: Cluster, manifest: Mapping[str, Any], act: Callable[[Mapping[str, Any]], None]
) -> None:
    """Act on an object as it is now, and once more when somebody else was faster.

    Args:
        client: The object's cluster.
        manifest: Names the object; nothing happens when it is not there.
        act: Is given the object.

    Raises:
        ClusterUnreachable: The cluster stopped answering or refused access.
        ObjectRefused: The object kept changing, or cannot become what is wanted.
    """
    for left in reversed(range(_ATTEMPTS)):
        live = client.read(manifest)
        if live is None:
            break
        try:
            act(live)
            break
        except ObjectRefused as error:
            # A conflict with causes is one about fields, which does not go by itself.
            if not left or error.status != 409 or error.causes:
                raise


def _change(
    live: Mapping[str, Any], names: tuple[str, ...], owner: str | None = None
) -> dict[str, Any]:
    """The patch that says who shares an object, and whose it is.

    The owner stays when None. Of one that is nobody's, nothing says any more that we had it.
    """
    metadata: dict[str, Any] = {
        "resourceVersion": live["metadata"]["resourceVersion"],
        "annotations": {SHARERS[-1]: ",".join(names) or None},
    }
    if owner is not None:
        metadata["labels"] = ownership(owner)
    if owner == "":
        metadata["labels"] |= {PROJECT: None}
        metadata["annotations"] |= {TAKEN[-1]: None}
    return {"metadata": metadata}
