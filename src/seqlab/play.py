"""`seqlab-play`: a local page on which models answer while one types. `python -m seqlab.play` is the same."""

from omegaconf import DictConfig

from hydra_pruning_sweeper.messages import plural
from seqlab.cli import import_from_here, run_command
from seqlab.config.bundle_settings import read_play
from seqlab.interrupts import stopping_at_once
from seqlab.playground.named_bundles import named_bundles
from seqlab.typed_arguments import refuse_unknown


def task(config: DictConfig) -> None:
    """Serves the page until it is stopped; torch and the server are imported only here."""
    refuse_unknown()
    settings = read_play(config)
    if settings.trust.packages:
        import_from_here()
    bundles = named_bundles(settings.runs)
    print(f"loading {plural(len(bundles), 'model')} …", flush=True)
    with stopping_at_once():
        from seqlab.playground.server import serve
    serve(settings, bundles)


def main() -> None:
    """The command line."""
    run_command("play", task, imports_from_here=False)


if __name__ == "__main__":
    main()
