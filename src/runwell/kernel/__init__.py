"""The kernel language: typed Python functions compiled to native code."""
