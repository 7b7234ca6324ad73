"""Orders as values: tags, validity, the state machine, and the positions that fills add up to."""
