"""Price–time matching against a published five-level book."""
