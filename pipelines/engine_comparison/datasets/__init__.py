"""Makes the datasets: `<dataset>.json` says what it is, `<source>/<dataset>.py` makes it."""
