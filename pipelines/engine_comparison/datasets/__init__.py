"""Makes the sample datasets, offline: one file a kind, found by its place, as `make` says."""
