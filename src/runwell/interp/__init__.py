"""The threaded interpreter: handlers generated from the rows, and the native core they live in."""
