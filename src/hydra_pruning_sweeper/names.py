"""What users type, and programs are given, for this sweeper, as messages spell it."""

COMMAND = "seqlab-sweep"
"""Looks at a study and repairs it."""
STORAGE_VARIABLE = "SEQLAB_STORAGE"
"""Environment variable with the address of a storage that holds a password, since no file may hold one."""
