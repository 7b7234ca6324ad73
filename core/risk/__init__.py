"""Pre-trade risk: a book of what is held and known, limits that look at it, and a margin estimate."""
