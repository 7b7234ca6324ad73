"""The order manager."""
