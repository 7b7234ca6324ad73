"""The limits in force: the newest version in the ledger, else the settings'."""

import json
from collections.abc import Mapping

from core.errors import InputError
from core.ports import Ledger
from core.risk.limits.changes import changed, differences, parsed
from core.risk.limits.limits import LimitsConfig


class LimitVersions:
    """Version 0 is the settings', recorded with the first change. A change is in the ledger before it is in force.

    Versions are of an account and outlive its sessions: what was set on Friday holds on Monday.
    """

    def __init__(self, settings: LimitsConfig, ledger: Ledger) -> None:
        self._settings, self._ledger = settings, ledger
        self.config, self.version = settings, 0

    def load(self) -> None:
        """Take up the ledger's newest version. Raises LedgerDown, InputError for one this release cannot read."""
        found = self._ledger.limits()
        if found is None or found[0] == 0:  # nothing was changed, or the change after it did not arrive
            self.config, self.version = self._settings, 0
        else:
            self.config, self.version = parsed(json.loads(found[1])), found[0]

    def set(self, changes: Mapping[str, object], who: str, why: str) -> int:
        """Change limits, all or none; the version they are in force under from now on.

        InputError for a change that is none, without a name or a reason; LedgerDown: nothing has changed, as far as is
        known: ask which version is in force before saying it again.
        """
        if not who.strip() or not why.strip():
            raise InputError("a change of limits needs who makes it and why")
        self.load()  # a version whose commit was not answered is in force there
        new = changed(self.config, changes)
        if not differences(self.config, new):
            return self.version
        version = self.version + 1
        if version == 1:
            self._ledger.record_limits(0, self.config.model_dump_json(), "settings", "as the desk was set up")
        self._ledger.record_limits(version, new.model_dump_json(), who, why)
        self.config, self.version = new, version
        return version
