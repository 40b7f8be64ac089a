"""The binary format: decoder and encoder."""
