"""Quality of a property row, decided by a table of rules: accepted, provisional or rejected, with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyomics.properties.combine import MISSING_REPLICAS, SINGLE_GLASS
from polyomics.properties.registry import spec_of

if TYPE_CHECKING:
    from polyomics.properties.records import Estimate

LEVELS = ("accepted", "provisional", "rejected")
"""From best to worst."""

LARGE_ERROR = 0.5
"""Relative standard error from which a value is provisional."""


@dataclass(frozen=True)
class Rule:
    """One row of the table: where ``fact`` holds, quality is ``quality`` at best.

    Parameters
    ----------
    fact
        A flag of the estimate, or a fact of the run (see :func:`facts_of`).
    quality
        Best quality that is left.
    reason
        The sentence for people.
    kinds
        Property kinds it concerns; empty for all.
    """

    fact: str
    quality: str
    reason: str
    kinds: tuple[str, ...] = ()


RULES: tuple[Rule, ...] = (
    Rule("no_value", "rejected", "no value"),
    Rule("not_stationary", "rejected", "not stationary"),
    Rule("unresolved", "provisional", "the cell is too small or the run too short to show that it rests"),
    Rule("protocol_ceiling", "provisional", "the protocol is too short for more than provisional values"),
    Rule(SINGLE_GLASS, "provisional", "a glass with one replica: the error bar excludes its history"),
    Rule("glass", "provisional", "chains of a glass keep the shape they were given", ("structural",)),
    Rule("unrelaxed", "provisional", "the end-to-end vectors did not relax", ("structural", "dynamic")),
    Rule(MISSING_REPLICAS, "provisional", "some replicas gave no value"),
    Rule("large_error", "provisional", "the standard error exceeds half of the value"),
)


@dataclass(frozen=True)
class RunState:
    """What the rules need to know of the runs behind an estimate.

    Parameters
    ----------
    stationary
        Verdict of the binding tests.
    relaxed
        Whether end vectors relaxed.
    state
        ``equilibrated`` or ``glass``.
    ceiling
        Best quality the protocol can give (``quick``: provisional).
    resolved
        Whether every test of rest could decide.
    """

    stationary: bool
    relaxed: bool
    state: str
    ceiling: str = "accepted"
    resolved: bool = True


@dataclass(frozen=True)
class Quality:
    """The level and why it is not better."""

    level: str
    reasons: tuple[str, ...]


def facts_of(estimate: Estimate, run: RunState) -> frozenset[str]:
    """Return the facts that the rules are looked up by."""
    facts = set(estimate.flags)
    if estimate.value is None or estimate.stderr is None:
        facts.add("no_value")
    elif estimate.property != "nematic_order" and estimate.stderr > LARGE_ERROR * abs(estimate.value):
        # an order parameter of zero is a result, however large its relative error
        facts.add("large_error")
    if not run.stationary:
        facts.add("not_stationary")
    if not run.resolved:
        facts.add("unresolved")
    if not run.relaxed:
        facts.add("unrelaxed")
    if run.state == "glass":
        facts.add("glass")
    if run.ceiling != "accepted":
        facts.add("protocol_ceiling")
    return frozenset(facts)


def judge(estimate: Estimate, run: RunState, rules: tuple[Rule, ...] = RULES) -> Quality:
    """Return the quality of an estimate: the worst that any applicable rule leaves, with the reasons of all of them.

    Parameters
    ----------
    estimate
        Of one run, or combined.
    run
        State of the runs behind it.
    rules
        The table.

    Raises
    ------
    InputError
        If the registry does not know the property.
    """
    kind = spec_of(estimate.property).kind
    facts = facts_of(estimate, run)
    applied = [rule for rule in rules if rule.fact in facts and (not rule.kinds or kind in rule.kinds)]
    worst = max([LEVELS.index(rule.quality) for rule in applied] + [LEVELS.index(run.ceiling)])
    reasons = [rule.reason for rule in applied if rule.fact != "no_value"]
    if estimate.value is None:
        reasons.insert(0, estimate.reason or "no value")
    return Quality(LEVELS[worst], tuple(dict.fromkeys(reasons)))
