"""Benchmarks: each runs a peer beside Runwell and prints the ratio."""
