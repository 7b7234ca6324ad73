"""Strategies on the desk: what decides when a pure strategy of core.strategies is asked."""
