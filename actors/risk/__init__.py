"""The risk supervisor."""
