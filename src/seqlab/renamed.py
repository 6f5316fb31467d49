"""The new names of what has moved or is called differently, for the error that an old one gets. They are those of the
list in conf/README.md."""

RENAMED = {
    "seqlab.data.notes.Notes": "seqlab.data.documents.Documents",
    "seqlab.folders.ExclusiveFolders": "seqlab.exclusive_folders.ExclusiveFolders",
    "seqlab.layers.transformer.": "seqlab.layers.transformer_blocks.",
    "seqlab.reporting.comparison.": "seqlab.runs.comparison.",
    "seqlab.sweeping.callback.": "hydra_pruning_sweeper.trial.lightning_callback.",
    "seqlab.sweeping.curves.": "hydra_pruning_sweeper.replay.curves.",
    "seqlab.sweeping.replay.": "hydra_pruning_sweeper.replay.compare.",
    "seqlab.text.tokenizers.base.": "seqlab.text.tokenizers.tokenizer.",
    "seqlab.training.bundle.": "seqlab.inference.bundle.",
    "seqlab.training.checkpoints.": "seqlab.training.callbacks.checkpoints.",
    "seqlab.training.generation.": "seqlab.inference.generation.",
    "seqlab.training.monitors.Outlook": "seqlab.training.callbacks.monitors.RunSummary",
    "seqlab.training.monitors.": "seqlab.training.callbacks.monitors.",
    "seqlab.training.optimizers.": "seqlab.optim.optimizers.",
    "seqlab.training.prediction.": "seqlab.inference.prediction.",
    "seqlab.training.progress.": "seqlab.training.callbacks.progress.",
    "seqlab.training.schedules.": "seqlab.optim.schedules.",
}
"""New names by old ones; a name that ends with a dot stands for all that begin with it."""


RENAMED_OF_DATASETS = {
    "together": "groups_references",
    "settled": "pinned_arguments",
    "framed": "has_bos_eos",
    "distinct": "rows_to_generate",
    "measured": "eval_rows",
}
"""New names by old ones of what a dataset class may define: nothing would read an old one."""


def check_dataset_names(dataset: type) -> None:
    """Checks that a dataset class defines nothing by an old name.

    Raises:
        TypeError: it does; the message names the new one.
    """
    for old, new in RENAMED_OF_DATASETS.items():
        if old in vars(dataset):
            raise TypeError(f"{dataset.__qualname__}.{old} is now called {new}")


def new_name(target: str) -> str | None:
    """The new name of a target; None if it was not renamed."""
    for old, new in RENAMED.items():
        if target == old or (old.endswith(".") and target.startswith(old)):
            return new + target.removeprefix(old)
    return None
