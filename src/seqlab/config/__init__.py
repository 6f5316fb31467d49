"""Reads the configuration that Hydra composed, checks it, and passes it on as typed settings; no other room sees it.

`settings` has a dataclass for each command. A group with a `_target_` is a `Component`, plain data that can be built;
`data_and_model` builds the data, the model and the search of one.
"""
