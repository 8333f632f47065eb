"""Real data: TLC's yellow taxi trips, and photographs of Food-101. Both are downloaded.

A module here has `remotes`, which says what to download for some settings, and `generate`, which
makes the dataset of the files that then are there.
"""
