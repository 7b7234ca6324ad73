"""One file a question; each prints a ratio to a peer measured in the same run and writes its row into README.md."""
