"""A running desk as it was made, for processes that reach it later: what its state file leaves out are its settings.

They lie in the desk's folder, as its facts and its instrument dump do, since vikalp.yaml may say something else by now.
"""

import os
from pathlib import Path

from pydantic import ValidationError

from cluster.desk import Desk
from cluster.settings import Settings
from cluster.state import SESSION_TAG, DeskState, read_state, running_desks, write_private
from core.errors import InputError
from core.market.overlay import user_facts

COPY = "settings.json"


def keep_settings(folder: Path, settings: Settings) -> None:
    """Write down what a desk is made with; readable by the owner alone, as a ledger's dsn may hold a password."""
    write_private(folder / COPY, settings.model_dump_json(indent=2))


def running_desk(state: DeskState) -> Desk:
    """The desk of that state, without its instruments, with the facts in use here; InputError for one of no use."""
    path = Path(state.data_dir) / COPY
    try:
        settings = Settings.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path}: the desk's own settings are not readable ({error}): start it anew") from error
    return Desk(
        desk=state.desk,
        settings=settings,
        session_id=state.session_id,
        namespace=state.namespace,
        dsn=state.dsn,
        data_dir=state.data_dir,
        anchor_wall_ns=state.anchor_wall_ns,
        facts=user_facts(),
    )


def job_state(desk: int | None) -> DeskState:
    """Of desk number `desk`; None: of the desk whose job this is, else of the only one that runs. Raises DeskError."""
    session = os.environ.get(SESSION_TAG) if desk is None else None
    ours = [state for state in running_desks() if state.session_id == session] if session else []
    return ours[0] if ours else read_state(desk)
