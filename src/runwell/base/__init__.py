"""Words shared by every layer: value types, traps, errors, LEB128, limits, features."""
