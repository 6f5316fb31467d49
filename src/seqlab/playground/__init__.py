"""A local page on which one types a source and every model answers, token by token."""
