"""The instruction set: one row an instruction, written over the verbs of an abstract machine."""
