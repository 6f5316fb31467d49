"""Tables from the files that runs leave."""
