"""Makes the datasets: a folder a source, in it a file a kind, found by its place."""
