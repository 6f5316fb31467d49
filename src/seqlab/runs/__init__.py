"""What finished runs say: their folders read, compared and summed up."""
