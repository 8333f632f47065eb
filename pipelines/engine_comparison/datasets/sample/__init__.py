"""Datasets made on this machine, offline and seeded: same settings, same bytes."""
