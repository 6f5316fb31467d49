"""The ledger of claims: a file each, what runs them, and what they come to.

The files stand beside the code and not in `conf/`: a claim is no part of a run's configuration, and every folder there
is a group that `seqlab-train` would offer. As files of the package they are in the wheel.
"""
