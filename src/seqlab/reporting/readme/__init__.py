"""README's generated tables, from committed reference files."""
