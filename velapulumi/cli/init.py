"""``velapulumi init``: a new project."""

from __future__ import annotations

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
from velapulumi.program.stage import main

main()
""",
    ".gitignore": """\
.velapulumi/
__pycache__/
""",
    "stacks/.gitkeep": "",
}


@click.command()
@click.option("--name", help="The Pulumi project's name; the folder's when left out.")
def init(name: str | None) -> None:
    """Make a velapulumi project in this folder."""
    name = name or re.sub(r"[^A-Za-z0-9_.-]+", "-", Path.cwd().name) or "delivery"
    taken = [path for path in ("Pulumi.yaml", "__main__.py") if Path(path).exists()]
    if taken:
        raise UsageProblem(f"{' and '.join(taken)} exist here already; nothing was written")
    for path, text in _FILES.items():
        file = Path(path)
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_text(text.format(name=name), encoding="utf-8")
    click.echo(f"Project {name} is ready.")
    click.echo("Next: velapulumi cluster join KUBECONFIG --name NAME", err=True)
