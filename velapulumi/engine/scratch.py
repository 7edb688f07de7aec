"""A private folder for the files that the engine's processes leave behind.

The provider writes each kubeconfig, with the key in it, to the folder for temporary files, and
never deletes it (pulumi-kubernetes 4.25, ``writeKubeconfigToFile``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from velapulumi import files
from velapulumi.engine.locks import lives


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A folder that is deleted at the end, with those that killed processes have left.

    Args:
        parent: Where it is made, and where those are.

    Raises:
        OSError: It cannot be made.
    """
    files.make_private_folder(parent)
    for left in parent.iterdir():
        owner = left.name.partition("-")[0]
        if not (owner.isdigit() and lives(int(owner))):
            shutil.rmtree(left, ignore_errors=True)
    with TemporaryDirectory(
        prefix=f"{os.getpid()}-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)
