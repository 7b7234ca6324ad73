"""Letting this process into a desk's Ray: the token's environment, also when ray was imported before it was known."""

import os
from pathlib import Path

from ray._raylet import AuthenticationTokenLoader, Config

from core.errors import DeskError


def admit(token_path: str | Path) -> None:
    """Use the token at `token_path` for everything this process and its children ask of Ray. Raises DeskError without
    it.
    """
    if not Path(token_path).is_file():
        raise DeskError(f"no token at {token_path}: only the user who started the desk can read it")
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token_path))
    # Ray read both when it was imported; it has no public way to read them again.
    Config.initialize("")
    AuthenticationTokenLoader.instance().reset_cache()
