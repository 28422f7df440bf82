"""Where every kind of object lives below a store root, and which names are allowed."""

from __future__ import annotations

import re

from polyomics.errors import InputError

FORMAT_KEY = "_polyomics.json"
FORMAT_VERSION = 1

TASKS = "tasks/"
DATA = "data/"
CATALOG = "catalog/"
CAMPAIGNS = "campaigns/"
ATTEMPTS = "attempts/"
SAVED_STATES = "checkpoints/"  # a prefix of its own, so that a bucket's lifecycle rule can expire it

MARKER_NAME = "marker.json"

_SEGMENT = re.compile(r"[A-Za-z0-9_=+@,-][A-Za-z0-9._=+@,-]*")
_NAME = re.compile(r"[A-Za-z0-9_-]{3,128}")
_CATALOG_FILE = re.compile(r"catalog/(\d{20})\.ducklake")


def check_key(key: str) -> str:
    """Return a key that is safe on every store; raises InputError (hidden names, '..', odd characters)."""
    if len(key) > 900 or not all(_SEGMENT.fullmatch(part) for part in key.split("/")):
        raise InputError(f"{key!r} is not a valid object key", field="key")
    return key


def check_name(name: str, field: str) -> str:
    """Return a name that can be one part of a key; raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(f"{name!r} is not a valid {field}", field=field, remedy="3 to 128 letters, digits, '_' or '-'")
    return name


def stage_prefix(stage_key: str) -> str:
    """Return the prefix of everything that is known of one stage."""
    check_name(stage_key, "stage_key")
    return f"{TASKS}{stage_key[:2]}/{stage_key}/"


def marker_key(stage_key: str) -> str:
    """Return the key of a stage's marker."""
    return stage_prefix(stage_key) + MARKER_NAME


def failure_key(stage_key: str, number: int) -> str:
    """Return the key of the n-th failure of a stage, from 1."""
    return f"{stage_prefix(stage_key)}failures/{number:04d}.json"


def retry_key(stage_key: str, number: int) -> str:
    """Return the key of the object that lifts the n-th failure of a stage."""
    return f"{stage_prefix(stage_key)}retries/{number:04d}.json"


def data_key(kind: str, sha256: str, extension: str) -> str:
    """Return the content-addressed key of a data object."""
    return check_key(f"{DATA}{kind}/{sha256[:2]}/{sha256}.{extension}")


def table_key(table: str, sha256: str) -> str:
    """Return the key of a file of folded rows; committer files are apart from what stages write."""
    return check_key(f"{DATA}tables/{table}/{sha256}.parquet")


def announcement_key(campaign: str, sha256: str) -> str:
    """Return the key of rows that a campaign states before any stage has run."""
    return check_key(f"{CAMPAIGNS}{check_name(campaign, 'campaign')}/rows/{sha256}.json")


def checkpoint_prefix(stage_key: str) -> str:
    """Return the prefix of the checkpoints of one stage."""
    check_name(stage_key, "stage_key")
    return f"{SAVED_STATES}{stage_key[:2]}/{stage_key}/"


def catalog_key(sequence: int) -> str:
    """Return the key of the catalog file with a sequence number."""
    return f"{CATALOG}{sequence:020d}.ducklake"


def views_key(sequence: int) -> str:
    """Return the key of the plain SQL views of a snapshot."""
    return f"{CATALOG}{sequence:020d}.views.sql"


def catalog_sequence(key: str) -> int | None:
    """Return the sequence number of a catalog file, or None where the key is something else."""
    match = _CATALOG_FILE.fullmatch(key)
    return int(match.group(1)) if match else None


def stage_of(key: str) -> str:
    """Return the stage key inside a key below ``tasks/``."""
    return key.split("/")[2]
