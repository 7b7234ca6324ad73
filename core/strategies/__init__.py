"""Strategies as pure functions: (config, state, event) → (state, what to do). They know no limits and no brokers."""
