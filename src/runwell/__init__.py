"""Runwell: a virtual machine for code you do not trust."""
