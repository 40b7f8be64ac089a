"""Faces of other runtimes, so that programs written for them run here."""
