"""`seqlab-play`: a local page on which models answer while one types. `python -m seqlab.play` is the same."""

from omegaconf import DictConfig

from seqlab.cli import import_from_here, refuse_unknown, run_command
from seqlab.config.bundle_settings import read_play


def task(config: DictConfig) -> None:
    """Serves the page until it is stopped; torch and the server are imported only here."""
    refuse_unknown()
    settings = read_play(config)
    if settings.trust.packages:
        import_from_here()
    from seqlab.playground.server import serve

    serve(settings)


def main() -> None:
    """The command line."""
    run_command("play", task, own_code=False)


if __name__ == "__main__":
    main()
