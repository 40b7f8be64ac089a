"""ELF: relocatable objects in, shared objects out."""
