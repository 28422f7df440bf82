"""The entry point: the verbs, and how a failure becomes a message and an exit code."""

from __future__ import annotations

import sys
import traceback

import click

import polyomics
from polyomics.cli import campaign, data, fleet, inspect, learn
from polyomics.errors import FAILURES, FailureClass, Interrupted, PolyOmicsError


class _Verbs(click.Group):
    """Lists verbs in the order of the work: input, computing, reading results, help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(polyomics.__version__, prog_name="polyomics")
def cli() -> None:
    """From polymer SMILES to a queryable database of computed properties."""


for verb in (*inspect.VERBS, *campaign.VERBS, *fleet.VERBS, *data.VERBS, *learn.VERBS):
    cli.add_command(verb)


def main() -> None:
    """Run the command line; failures of PolyOmics end with their class's exit code and one message on stderr."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt, Interrupted):
        click.echo("interrupted: everything up to now is saved; run the same command again to go on", err=True)
        sys.exit(FAILURES[FailureClass.INTERRUPTION].exit_code)
    except PolyOmicsError as error:
        click.echo(f"{error.failure_class.value}: {error}", err=True)
        sys.exit(FAILURES[error.failure_class].exit_code)
    except Exception:
        traceback.print_exc()
        click.echo("bug: this is a defect in PolyOmics; please report it with the lines above", err=True)
        sys.exit(FAILURES[FailureClass.BUG].exit_code)
