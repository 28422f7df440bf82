"""Verbs around a campaign file on this machine: config, validate, run, retry."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import yaml

from polyomics.cli.output import format_option, messages, plain, print_json, print_rows
from polyomics.errors import FAILURES, FailureClass

PATH = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=PATH)
@click.option("--format", "form", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
def config(file: Path, form: str) -> None:
    """Show a campaign file with every default made visible, the protocol's included."""
    from polyomics.campaign.file import read_campaign
    from polyomics.campaign.planning import load_campaign_protocol

    campaign = read_campaign(file)
    protocol = load_campaign_protocol(campaign, file.resolve().parent)
    shown: dict[str, Any] = campaign.model_dump(mode="json")
    shown["in_force"] = {
        "charges": protocol.charges if campaign.charges == "default" else campaign.charges,
        "replicas": campaign.replicas or protocol.replicas,
        "protocol": protocol.model_dump(mode="json"),
    }
    if form == "json":
        print_json(shown)
    else:
        click.echo(yaml.safe_dump(plain(shown), sort_keys=False, allow_unicode=True).rstrip())


@click.command()
@click.argument("file", type=PATH)
@format_option()
def validate(file: Path, form: str) -> None:
    """Check a campaign file and every polymer in it; nothing is computed."""
    from polyomics.campaign.run import validate as check

    result = check(file)
    if form == "json":
        print_json(result)
    elif form == "csv" or result["rejected"]:
        print_rows(result["rejected"], form, columns=("polymer", "field", "reason", "remedy"))
    else:
        click.echo(f"{file}: everything in it can be computed")
    if not result["ok"]:
        sys.exit(FAILURES[FailureClass.INPUT].exit_code)


@click.command()
@click.argument("file", type=PATH)
@click.option(
    "--threads", type=click.IntRange(1), default=None, help="CPU threads per simulation; default: shared out."
)
@click.option("--checkpoint-interval", type=click.FloatRange(0.1), default=60.0, show_default=True, help="Seconds.")
@format_option()
def run(file: Path, threads: int | None, checkpoint_interval: float, form: str) -> None:
    """Compute what a campaign file asks for; run it again to resume, or to see that nothing is left to do."""
    from polyomics.campaign.file import read_campaign
    from polyomics.campaign.run import run_campaign
    from polyomics.cli.progress import Display
    from polyomics.pipeline.execute import Settings

    settings = Settings(platform=read_campaign(file).platform, threads=threads, checkpoint_interval=checkpoint_interval)
    with Display() as display:
        report = run_campaign(file, settings, display.observe)
    out = messages()
    for item in report.rejected:
        out.print(f"not computed: {item.polymer}: {item.field}: {item.reason} (remedy: {item.remedy})")
    for failed in report.failures:
        kind = failed.failure.value if failed.failure else ""
        out.print(f"failed: {failed.job.name}: {kind}: {failed.error}")
    if not report.computed:
        out.print("nothing to do: everything was computed before")
    print_rows(_brief(report.rows) if form == "table" else report.rows, form)
    out.print(
        f"more: polyomics sql --store {report.store} "
        '"SELECT polymer, property, value, stderr, unit, quality FROM properties"'
    )
    if report.failure_class is not None:
        sys.exit(FAILURES[report.failure_class].exit_code)


def _brief(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns that fit a terminal; those without any entry are left out."""
    names = ["polymer", "property", "T_K", "value", "stderr", "unit", "quality", "literature", "deviation_percent"]
    names = [name for name in names if any(row.get(name) not in (None, "") for row in rows)]
    return [{name: row[name] for name in names} for row in rows]


@click.command()
@click.argument("file", type=PATH)
@click.option(
    "--class",
    "kind",
    type=click.Choice([*(k.value for k in FailureClass), "poison", "stuck"]),
    default=None,
    help="Only this class.",
)
@format_option()
def retry(file: Path, kind: str | None, form: str) -> None:
    """Lift the standing failures of a campaign, so that the next run tries them again."""
    from polyomics.campaign.run import lift_failures

    print_rows([lift_failures(file, kind)], form)


VERBS = (config, validate, run, retry)
