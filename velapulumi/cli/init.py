"""``velapulumi init``: a new project."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from velapulumi.errors import UsageProblem

_FILES = {
    "Pulumi.yaml": """\
name: {name}
description: One application, many clusters, stage by stage.
runtime:
  name: python
  options:
    toolchain: pip
stackConfigDir: stacks
""",
    "__main__.py": """\
from velapulumi.stage.program import main

main()
""",
    "stacks/.gitkeep": "",
}

_PRIVATE = ".velapulumi/"


@click.command()
@click.option("--name", help="The Pulumi project's name; the folder's when left out.")
def init(name: str | None) -> None:
    """Make a velapulumi project in this folder."""
    name = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", Path.cwd().name).strip("-") or "delivery"
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name):
        raise UsageProblem(f"{name!r} is no name for a Pulumi project: letters, digits, '_.-' only")
    taken = [path for path in ("Pulumi.yaml", "__main__.py") if Path(path).exists()]
    if Path("stacks").exists() and not Path("stacks").is_dir():
        taken.append("stacks")
    if taken:
        raise UsageProblem(f"{' and '.join(taken)} exist here already; nothing was written")
    for path, text in _FILES.items():
        file = Path(path)
        file.parent.mkdir(exist_ok=True)
        if not file.exists():
            file.write_text(text.format(name=json.dumps(name)), encoding="utf-8")
    _ignore_private(Path(".gitignore"))
    click.echo(f"Project {name} is ready.")
    click.echo("Next: velapulumi cluster join KUBECONFIG --name NAME", err=True)


def _ignore_private(path: Path) -> None:
    """See that what belongs to this machine alone, credentials among it, is never committed."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else ["__pycache__/"]
    if _PRIVATE not in lines:
        path.write_text("\n".join([*lines, _PRIVATE]) + "\n", encoding="utf-8")
