"""Brokers behind core.ports.Broker: paper now, Kite next."""
