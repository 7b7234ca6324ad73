"""Kite Connect: its socket through our own client, its REST through the kiteconnect package, and what both may do."""
