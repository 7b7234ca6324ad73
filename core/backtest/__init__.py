"""A recorded day through a strategy, the desk's own limits and the exchange's charges; pure, so that days run apart."""
