"""What is shown of a sweep: the live table, summaries, plots, and the commands that look at a study."""
