"""Calls between Python and guests."""
