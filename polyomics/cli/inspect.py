"""Verbs that look at single polymers and at this machine: polymer, type, build, doctor, exit-codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Literal

import click

from polyomics.cli.output import format_option, messages, print_json, print_rows
from polyomics.errors import FAILURES, FailureClass

Tacticity = Literal["atactic", "isotactic", "syndiotactic"]


@click.command()
@click.argument("psmiles", nargs=-1, required=True)
@format_option()
def polymer(psmiles: tuple[str, ...], form: str) -> None:
    """Identity, class and mass of polymers."""
    from polyomics.polymer import describe

    print_rows(describe(psmiles), form, columns=("input", "canonical", "key", "class", "mass", "error"))


@click.command(name="type")
@click.argument("psmiles", nargs=-1, required=True)
@format_option()
def type_(psmiles: tuple[str, ...], form: str) -> None:
    """Force-field types and charges of the H-capped dimer of each polymer."""
    from polyomics.forcefield import type_report

    reports: list[dict[str, Any]] = type_report(psmiles)
    if form == "json":
        print_json(reports)
        return
    rows = [{"input": report["input"], **atom, "error": None} for report in reports for atom in report.get("atoms", ())]
    rows += [{"input": report["input"], "error": report["error"]} for report in reports if report.get("error")]
    print_rows(rows, form, columns=("input", "index", "element", "type", "charge", "error"))


@click.command()
@click.argument("psmiles")
@click.option("--chains", type=click.IntRange(1), default=10, show_default=True)
@click.option("--atoms", type=click.IntRange(2), default=1000, show_default=True, help="Approximate atoms per chain.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--tacticity", type=click.Choice(["atactic", "isotactic", "syndiotactic"]), default="atactic")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the files.")
@format_option()
def build(psmiles: str, chains: int, atoms: int, seed: int, tacticity: Tacticity, out: Path, form: str) -> None:
    """Build an amorphous cell: PDB, OpenMM System and State."""
    from polyomics.build import build_command

    result = build_command(psmiles, chains=chains, atoms=atoms, seed=seed, out=out, tacticity=tacticity)
    if form == "json":
        print_json(result)
        return
    print_rows([{"phase": phase, "seconds": seconds} for phase, seconds in result["seconds"].items()], form)
    messages().print(f"{result['atoms']} atoms written to {out}")


@click.command()
@format_option()
def doctor(form: str) -> None:
    """What this machine can do, what is missing and how to get it."""
    from polyomics.campaign.doctor import examine

    findings = examine()
    print_rows(findings, form, columns=("name", "ok", "found", "remedy"))
    if not all(finding["ok"] for finding in findings if finding["required"]):
        sys.exit(FAILURES[FailureClass.PLATFORM].exit_code)


@click.command(name="exit-codes")
@format_option()
def exit_codes(form: str) -> None:
    """The failure table."""
    rows = [
        {
            "code": 0,
            "class": "done",
            "retry": False,
            "budget": "none",
            "meaning": "everything asked for is there",
            "remedy": "",
        },
        {
            "code": 2,
            "class": "usage",
            "retry": False,
            "budget": "none",
            "meaning": "the command line is wrong",
            "remedy": "--help",
        },
        {
            "code": 3,
            "class": "refused",
            "retry": False,
            "budget": "none",
            "meaning": "over budget, or preflight failed",
            "remedy": "as printed",
        },
    ]
    rows += [
        {
            "code": rule.exit_code,
            "class": kind.value,
            "retry": rule.retry,
            "budget": rule.budget,
            "meaning": rule.meaning,
            "remedy": rule.remedy,
        }
        for kind, rule in FAILURES.items()
    ]
    print_rows(rows, form)


VERBS = (polymer, type_, build, doctor, exit_codes)
