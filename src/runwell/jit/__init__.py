"""The optimising tier: compiler processes, and the machine code that comes back from them."""
