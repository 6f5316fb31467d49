"""Running trials: the controller's loop, the processes that trials run in, and how each one ended."""
