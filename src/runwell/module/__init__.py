"""The decoded module: plain immutable data."""
