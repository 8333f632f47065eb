"""The benchmark: who takes part, and how the samples are taken."""
