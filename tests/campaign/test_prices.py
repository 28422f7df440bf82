"""Prices have a date and a source; the user's file beats Amazon's lists, and those beat the table."""

from __future__ import annotations

import pytest

from polyomics.campaign import prices
from polyomics.campaign.costmodel import default_model, fit
from polyomics.errors import InputError


def test_every_price_has_date_source_and_a_spot_range_or_none():
    table = prices.table()
    assert len({(price.instance_type, price.region) for price in table}) == len(table) > 10
    for price in table:
        assert price.price_date >= "2026-01-01"
        assert price.source
        assert price.on_demand > 0
        assert (price.spot_low is None) == (price.spot_high is None)
        if price.spot_low is not None:
            assert 0 < price.spot_low <= price.spot_high


def test_cheapest_region_comes_first():
    found = prices.prices_of("g6.xlarge", live=False)
    spots = [price.spot_low for price in found if price.spot_low is not None]
    assert spots == sorted(spots)
    assert found[0].region == "us-east-2"


def test_overrides_beat_the_lists_and_the_lists_beat_the_table(tmp_path, monkeypatch):
    today = prices.Price("g6.xlarge", "L4", "us-east-2", 9.0, 1.0, 2.0, "2026-11-24", "EC2 price list")
    monkeypatch.setattr(prices, "ask_amazon", lambda instance_type, known: [today])
    assert {p.region: p.on_demand for p in prices.prices_of("g6.xlarge", live=True)}["us-east-2"] == 9.0
    file = tmp_path / "mine.csv"
    file.write_text(
        "instance_type,region,on_demand,spot_low,spot_high,price_date,source\n"
        "g6.xlarge,us-east-2,0.5,,,2026-11-01,our contract\ng6.xlarge,cellar,0.01,0.01,0.01,2026-11-01,our machine\n"
    )
    found = {price.region: price for price in prices.prices_of("g6.xlarge", file, live=True)}
    assert found["us-east-2"].source == "our contract"
    assert prices.prices_of("g6.xlarge", file, live=True)[0].region == "cellar"


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,2\n", "instance_type,region,on_demand,spot_low,spot_high,price_date,source\ng6.xlarge,x,cheap,,,d,s\n"],
)
def test_a_bad_price_file_is_named(tmp_path, text):
    file = tmp_path / "bad.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=r"bad\.csv"):
        prices.prices_of("g6.xlarge", file, live=False)


def test_an_unknown_instance_type_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r"g6\.xlarge"):
        prices.prices_of("abacus", live=False)


def test_the_cost_model_is_fitted_only_to_enough_attempts_of_the_same_instance():
    rows = [
        {"instance_type": "g6.xlarge", "gpu_seconds": 100.0 + 45.0, "details": {"atom_steps": 3e9, "done": ["a"]}}
        for _ in range(5)
    ]
    assert fit(rows, "g6.xlarge", "L4").atom_steps_per_second == pytest.approx(3e7)
    assert fit(rows[:4], "g6.xlarge", "L4") == default_model("L4")
    assert fit(rows, "g5.xlarge", "A10G") == default_model("A10G")
