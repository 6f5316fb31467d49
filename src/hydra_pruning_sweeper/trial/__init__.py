"""The trial's side: which trial a process is, what it reports, and whether it is to stop."""
