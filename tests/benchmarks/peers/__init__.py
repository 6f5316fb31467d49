"""What installs from the package index."""
