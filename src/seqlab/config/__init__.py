"""The configuration ends here: what Hydra composed is read once, checked, and leaves this room as typed settings.

`settings` has a dataclass for each command. A group with a `_target_` is a `Component`, plain data that can be built;
`data_and_model` builds the data, the model and the search of one.
"""
