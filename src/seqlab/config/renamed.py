"""The new names of classes and functions that have moved, for the error that an old one gets."""

RENAMED = {
    "seqlab.data.notes.Notes": "seqlab.data.documents.Documents",
    "seqlab.folders.ExclusiveFolders": "seqlab.exclusive_folders.ExclusiveFolders",
    "seqlab.reporting.comparison.": "seqlab.runs.comparison.",
    "seqlab.sweeping.callback.": "hydra_pruning_sweeper.trial.lightning_callback.",
    "seqlab.training.checkpoints.": "seqlab.training.callbacks.checkpoints.",
    "seqlab.training.monitors.Outlook": "seqlab.training.callbacks.monitors.RunSummary",
    "seqlab.training.monitors.": "seqlab.training.callbacks.monitors.",
    "seqlab.training.optimizers.": "seqlab.optim.optimizers.",
    "seqlab.training.progress.": "seqlab.training.callbacks.progress.",
    "seqlab.training.schedules.": "seqlab.optim.schedules.",
}
"""New names by old ones; a name that ends with a dot stands for all that begin with it."""


def new_name(target: str) -> str | None:
    """The new name of a target; None if it was not renamed."""
    for old, new in RENAMED.items():
        if target == old or (old.endswith(".") and target.startswith(old)):
            return new + target.removeprefix(old)
    return None
