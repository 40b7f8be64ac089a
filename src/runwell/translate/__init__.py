"""One native pass from function bytes to validated register code."""
