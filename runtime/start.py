"""What the ``earmark`` script calls: loads the command line such that Ctrl-C while it loads is no traceback."""

import sys

from runtime import exit_status


def main() -> None:
    """Run the command."""
    try:
        from runtime.cli import main as run  # noqa: PLC0415  # loading takes a third of a second

        run()
    except KeyboardInterrupt:
        sys.exit(exit_status.INTERRUPTED)
    finally:
        tracing = sys.modules.get("runtime.tracing.opening")  # where it was never needed it is not loaded for this
        if tracing is not None:
            tracing.close_spans()
