"""Prices of instances: the user's file before Amazon's own lists before a dated table, each with date and source."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any

from polyomics.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

CURRENCY = "USD"
REGIONS = ("us-east-1", "us-east-2", "us-west-2", "eu-central-1", "eu-west-1", "ap-northeast-1")
S3_PER_1000_PUT = 0.005
S3_PER_1000_GET = 0.0004
S3_GB_MONTH = 0.023
S3_DATE = "2026-11-22"
"""Amazon S3 Standard, us-east-1; PUT and LIST cost the same."""

_COLUMNS = ("instance_type", "region", "on_demand", "spot_low", "spot_high", "price_date", "source")


@dataclass(frozen=True)
class Price:
    """What one instance costs per hour in one region.

    Parameters
    ----------
    instance_type, gpu, region
        Names.
    on_demand
        USD per hour.
    spot_low, spot_high
        USD per hour, lowest and highest reading over zones; None where nobody knows.
    price_date, source
        When and by whom it was read.
    """

    instance_type: str
    gpu: str
    region: str
    on_demand: float
    spot_low: float | None
    spot_high: float | None
    price_date: str
    source: str

    def as_dict(self) -> dict[str, Any]:
        """Return what is shown beside the other regions."""
        return {"region": self.region, "instance_type": self.instance_type, "gpu": self.gpu, "currency": CURRENCY,
                "on_demand": self.on_demand, "spot_low": self.spot_low, "spot_high": self.spot_high,
                "price_date": self.price_date, "source": self.source}  # fmt: skip


def money(amount: float, price_date: str, **more: Any) -> dict[str, Any]:
    """Return ``{amount, currency, price_date}``, with further keys."""
    return {"amount": round(amount, 2), "currency": CURRENCY, "price_date": price_date, **more}


def prices_of(instance_type: str, overrides: Path | None = None, *, live: bool | None = None) -> list[Price]:
    """Return the prices of an instance type, cheapest spot first.

    Parameters
    ----------
    instance_type
        As Amazon calls it.
    overrides
        A CSV with the columns of the project's table; its lines replace or add regions.
    live
        Ask Amazon; None does so unless ``POLYOMICS_PRICES`` is ``table``, read now.

    Raises
    ------
    InputError
        No price of the instance type is known, or the overrides cannot be read.
    """
    found = {price.region: price for price in table() if price.instance_type == instance_type}
    if live if live is not None else os.environ.get("POLYOMICS_PRICES") != "table":
        found |= {price.region: price for price in ask_amazon(instance_type, list(found.values()))}
    if overrides is not None:
        found |= {p.region: p for p in _read(_text(overrides), str(overrides)) if p.instance_type == instance_type}
    if not found:
        raise InputError(
            f"no price of {instance_type!r} is known", field="instance_type",
            remedy=f"one of {', '.join(sorted({p.instance_type for p in table()}))}, or a file of your own prices",
        )  # fmt: skip
    # A price of yesterday's catalog without spot stands behind one with it.
    return sorted(found.values(), key=lambda p: (p.spot_low is None, p.spot_low or p.on_demand, p.on_demand, p.region))


def table() -> list[Price]:
    """Return the project's dated table."""
    text = (resources.files("polyomics.campaign") / "data" / "prices.csv").read_text(encoding="utf-8")
    return _read(text, "prices.csv")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot be read ({error})", subject=str(path), field="prices", remedy="check the path"
        ) from error


def _read(text: str, subject: str) -> list[Price]:
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(
            f"has no column {missing[0]!r}", subject=subject, field="prices", remedy=f"columns: {', '.join(_COLUMNS)}"
        )
    found = []
    for number, row in enumerate(reader, start=2):
        try:
            low, high = (float(row[name]) if row[name] else None for name in ("spot_low", "spot_high"))
            found.append(
                Price(
                    row["instance_type"], row.get("gpu") or "", row["region"], float(row["on_demand"]), low, high,
                    row["price_date"], row["source"] or subject,
                )
            )  # fmt: skip
        except (TypeError, ValueError) as error:
            raise InputError(
                f"line {number}: {error}", subject=subject, field="prices", remedy="numbers in USD per hour"
            ) from error
    return found


def ask_amazon(instance_type: str, known: list[Price]) -> list[Price]:
    """Return today's prices of regions of which Amazon's lists could be reached; nothing where they could not."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    session = boto3.session.Session()
    short = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1})
    today = datetime.now(UTC).date().isoformat()
    gpu = next((price.gpu for price in known), "")
    found: list[Price] = []
    try:
        if session.get_credentials() is None:
            return []
        lists = session.client("pricing", region_name="us-east-1", config=short)
        for region in REGIONS:
            on_demand = _on_demand(lists, instance_type, region)
            if on_demand is None:
                continue
            price = Price(instance_type, gpu, region, on_demand, None, None, today, "EC2 price list")
            spot = _spot(session.client("ec2", region_name=region, config=short), instance_type)
            if spot:
                price = replace(
                    price, spot_low=min(spot), spot_high=max(spot), source="EC2 price list and spot history, 24 h"
                )
            found.append(price)
    except (BotoCoreError, ClientError):
        return found
    return found


def _on_demand(lists: Any, instance_type: str, region: str) -> float | None:
    wanted = {"instanceType": instance_type, "regionCode": region, "operatingSystem": "Linux", "tenancy": "Shared",
              "preInstalledSw": "NA", "capacitystatus": "Used"}  # fmt: skip
    filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
    for text in lists.get_products(ServiceCode="AmazonEC2", Filters=filters)["PriceList"]:
        for term in json.loads(text)["terms"].get("OnDemand", {}).values():
            for dimension in term["priceDimensions"].values():
                amount = float(dimension["pricePerUnit"].get(CURRENCY, 0.0))
                if amount > 0:
                    return amount
    return None


def _spot(client: Any, instance_type: str) -> list[float]:
    start = datetime.now(UTC) - timedelta(days=1)
    answer = client.describe_spot_price_history(
        InstanceTypes=[instance_type], ProductDescriptions=["Linux/UNIX"], StartTime=start
    )
    return [float(item["SpotPrice"]) for item in answer["SpotPriceHistory"]]
