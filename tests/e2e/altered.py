"""The command line with one fact changed under it, such as a version or the clock.

Run as ``python altered.py WHAT VALUE COMMAND…``.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import velapulumi.delivery.approvals
import velapulumi.program.authority
import velapulumi.stage.plan
from velapulumi.cli import main

VERSIONS = {"velapulumi": "__version__", "engine": "PULUMI_VERSION", "provider": "PROVIDER_VERSION"}


def alter(what: str, value: str) -> None:
    if what in VERSIONS:
        setattr(velapulumi.stage.plan, VERSIONS[what], value)
        return
    assert what == "clock"
    ahead = timedelta(seconds=float(value))

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + ahead

    velapulumi.program.authority.datetime = Later  # type: ignore[misc]


if __name__ == "__main__":
    alter(*sys.argv[1:3])
    sys.argv[1:] = sys.argv[3:]
    main()
