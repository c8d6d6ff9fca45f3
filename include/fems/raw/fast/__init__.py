"""The compiled reader of plain text files."""
