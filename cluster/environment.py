"""What a shell needs to talk to a desk: `eval "$(vikalp env)"`."""

import os
import shlex
import sys
from pathlib import Path

from cluster.state import DeskState, ray_environment


def variables(state: DeskState) -> dict[str, str]:
    """Token, address and the desk's own Python first in PATH; `ray job submit` needs all of them."""
    here = str(Path(sys.executable).parent)
    path = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part and part != here]
    # Not RAY_ADDRESS: ray.init would take it for a cluster, and it is the jobs' server.
    return ray_environment(state) | {
        "RAY_API_SERVER_ADDRESS": state.dashboard_url,
        "PATH": os.pathsep.join([here, *path]),
    }


def lines(state: DeskState) -> list[str]:
    """One `export` a variable, quoted for a shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in variables(state).items()]
