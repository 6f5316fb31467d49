"""`seqlab-publish`: a trained model on the Hugging Face hub. `python -m seqlab.publish` is the same."""

from omegaconf import DictConfig

from seqlab.cli import run_command
from seqlab.config.bundle_settings import read_publish
from seqlab.typed_arguments import refuse_unknown


def task(config: DictConfig) -> None:
    """Publishes as `config` says; torch and the hub's library are imported only here."""
    refuse_unknown()
    settings = read_publish(config)
    from seqlab.runs.publish_bundle import publish

    publish(settings)


def main() -> None:
    """The command line."""
    run_command("publish", task, imports_from_here=False)


if __name__ == "__main__":
    main()
