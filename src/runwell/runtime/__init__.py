"""What native code works on: contexts, memories, tables, globals, instances, traps."""
