"""Risk: pre-trade limits over what is held and known; margins, VaR, stress and exposure as pure mathematics."""
