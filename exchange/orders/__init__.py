"""Orders at the exchange: what is asked, refused, matched, and what comes of it."""
