"""The command `vikalp`. Nothing heavy is imported before a command needs it: `vikalp --help` answers at once."""
