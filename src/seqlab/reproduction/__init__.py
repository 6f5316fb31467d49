"""Published claims: a file each, what runs them, and what they come to."""
