"""Replicas combine with the larger error, and quality follows from the table of rules."""

from __future__ import annotations

import numpy as np
import pytest

from polyomics.errors import InputError
from polyomics.properties.combine import combine
from polyomics.properties.quality import RULES, RunState, judge
from polyomics.properties.records import Estimate

GOOD = RunState(stationary=True, relaxed=True, state="equilibrated")
GLASS = RunState(stationary=True, relaxed=False, state="glass")


def estimate(value=1000.0, stderr=1.0, name="density", flags=(), reason=""):
    return Estimate(name, value, stderr, 50.0, flags=flags, reason=reason)


def test_replicas_that_scatter_by_their_errors_keep_the_propagated_error():
    found = combine((estimate(1000.0, 3.0), estimate(1000.5, 3.0), estimate(999.5, 3.0)), "equilibrated")
    assert found.value == pytest.approx(1000.0)
    assert found.stderr == pytest.approx(3.0 / np.sqrt(3))
    assert (found.stderr_kind, found.n_replicas, found.n_eff) == ("within", 3, 150.0)


def test_replicas_that_scatter_more_take_the_error_between_them():
    found = combine((estimate(990.0), estimate(1000.0), estimate(1010.0)), "glass")
    assert found.stderr == pytest.approx(10 / np.sqrt(3) * 1.3213, rel=1e-3)  # Student's t, 2 degrees, 84.13 %
    assert found.stderr_kind == "between"
    assert found.flags == ()


def test_two_replicas_are_too_few_for_an_error_between_them():
    assert combine((estimate(900.0), estimate(1100.0)), "glass").stderr_kind == "within"


@pytest.mark.parametrize("replicas", [3, 5])
def test_the_error_between_replicas_covers(replicas):
    rng, hits = np.random.default_rng(1), 0
    for _ in range(2000):
        found = combine(tuple(estimate(v, 1e-6) for v in rng.normal(1000, 5, replicas)), "glass")
        hits += abs(found.value - 1000) < found.stderr
    assert abs(hits / 2000 - 0.68) < 0.04


def test_a_glass_with_one_replica_is_flagged():
    assert combine((estimate(),), "glass").flags == ("single_glass",)
    assert combine((estimate(),), "equilibrated").flags == ()


def test_replicas_without_a_value_are_left_out_and_counted():
    refused = estimate(
        None, None, flags=("few_samples",), reason="8.0 independent samples, 20 needed: about 600 ps more"
    )
    found = combine((estimate(), refused, estimate(1002.0)), "equilibrated")
    assert (found.value, found.n_replicas, found.flags) == (1001.0, 2, ("missing_replicas",))
    nothing = combine((refused, refused), "equilibrated")
    assert (nothing.value, nothing.reason, nothing.n_replicas) == (None, refused.reason, 2)


def test_different_properties_do_not_combine():
    with pytest.raises(InputError, match="one property expected"):
        combine((estimate(), estimate(name="bulk_modulus")), "glass")


@pytest.mark.parametrize(
    ("given", "run", "level", "reason"),
    [
        (estimate(), GOOD, "accepted", None),
        (estimate(), RunState(True, True, "equilibrated", "provisional"), "provisional", "the protocol is too short"),
        (estimate(), RunState(False, True, "equilibrated"), "rejected", "not stationary"),
        (estimate(flags=("single_glass",)), GLASS, "provisional", "a glass with one replica"),
        (estimate(), GLASS, "accepted", None),
        (estimate(2e-9, 1e-10, "radius_of_gyration"), GLASS, "provisional", "chains of a glass keep"),
        (estimate(1e-9, 1e-10, "self_diffusion"), GLASS, "provisional", "the end-to-end vectors did not relax"),
        (estimate(1e-4, 6e-5, "volume_expansion"), GOOD, "provisional", "the standard error exceeds half"),
        (estimate(0.01, 0.02, "nematic_order"), GOOD, "accepted", None),
        (estimate(None, None, flags=("caged",), reason="caged: too slow"), GOOD, "rejected", "caged: too slow"),
    ],
)
def test_quality_follows_from_the_rules(given, run, level, reason):
    quality = judge(given, run)
    assert quality.level == level
    assert quality.reasons == () if reason is None else any(r.startswith(reason) for r in quality.reasons)


def test_a_quick_protocol_never_gives_more_than_provisional_even_without_rules():
    assert judge(estimate(), RunState(True, True, "equilibrated", "provisional"), ()).level == "provisional"


def test_rules_only_ever_lower_quality():
    for rule in RULES:
        assert rule.quality in ("provisional", "rejected")
