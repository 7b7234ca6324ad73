"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
DeskNumber = Annotated[
    int | None, typer.Option("--desk", min=0, help="Desk number; the only one running if not given.")
]
NewDesk = Annotated[int, typer.Option("--desk", min=0, help="Desk number; desk 0 has the page on port 8000.")]
Config = Annotated[
    Path | None, typer.Option("--config", help="Settings file instead of vikalp.yaml.", show_default=False)
]
