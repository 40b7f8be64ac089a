"""The text format: lexer, parser, printer and test scripts."""
