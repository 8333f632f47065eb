"""The one model that every engine runs: `weights` and `build` make its file, `session` runs it."""
