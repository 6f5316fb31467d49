"""The study: what is searched, which trials there are, who runs each, and where all of it is stored."""
