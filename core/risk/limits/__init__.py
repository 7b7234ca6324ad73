"""Pre-trade limits: one limit, one file. A desk or a backtest assembles the ones it wants, explicitly."""
