"""`npm run check:gpu`: whether a machine's GPU does what runs need, on a bare machine."""
