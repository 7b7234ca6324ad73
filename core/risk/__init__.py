"""Risk: pre-trade limits over a book of what is held and known; margins, VaR, stress and exposure as pure mathematics."""
