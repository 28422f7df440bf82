"""The object store on S3 and its look-alikes: conditional writes whose ambiguous answers are settled by a token."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    ResponseStreamingError,
)

from polyomics.errors import InputError, NotFoundError, PlatformError, TransientError
from polyomics.store.interface import ObjectInfo
from polyomics.store.layout import check_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_TRIES = 6
_PAGE = 1000  # objects per listing request, the most that S3 gives
_WRITER = "writer"  # metadata name of the token that tells our own write from another's
_LOST = (ConnectionError, HTTPClientError, IncompleteReadError, ResponseStreamingError)
_ABSENT = {"404", "NoSuchKey", "NotFound"}
_TAKEN = {"412", "PreconditionFailed"}
_BUSY = {"409", "ConditionalRequestConflict", "OperationAborted"}
_DENIED = {"401", "403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
_THROTTLED = {"429", "SlowDown", "Throttling", "RequestTimeout", "RequestTimeTooSkewed"}

Answer = TypeVar("Answer")


class S3Store:
    """An ``ObjectStore`` below ``s3://bucket/prefix``; credentials come from boto3's default chain.

    Parameters
    ----------
    address
        ``s3://bucket`` or ``s3://bucket/prefix``.
    endpoint
        Another server than Amazon's; by default ``POLYOMICS_S3_ENDPOINT``, read now.
    """

    def __init__(self, address: str, *, endpoint: str | None = None) -> None:
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        if not bucket:
            raise InputError("the address names no bucket", subject=address, field="store", remedy="s3://bucket/prefix")
        self.bucket = bucket
        self.prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self.endpoint = endpoint or os.environ.get("POLYOMICS_S3_ENDPOINT") or None
        self.session = boto3.session.Session()
        self.region = self.session.region_name or "us-east-1"
        self.requests: Counter[str] = Counter()
        config = Config(
            retries={"mode": "standard", "total_max_attempts": 3},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=64,
            s3={"addressing_style": "path"} if self.endpoint else {},
        )
        self._client = self.session.client("s3", endpoint_url=self.endpoint, region_name=self.region, config=config)
        self._client.meta.events.register("before-send.s3", self._count)

    @property
    def address(self) -> str:
        """Root address, ``s3://bucket/prefix``."""
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFoundError."""
        return self._read(key)

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Return up to ``length`` bytes from ``start``; raises NotFoundError."""
        return self._read(key, Range=f"bytes={start}-{start + length - 1}") if length else b""

    def head(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None."""
        answer = self._head(key)
        if answer is None:
            return None
        return ObjectInfo(key, int(answer["ContentLength"]), answer["ETag"], answer["LastModified"].timestamp())

    def create(self, key: str, data: bytes) -> bool:
        """Write only if the key is free; whatever the answer, the token in the object tells who won."""
        token = uuid4().hex
        last: Exception | None = None
        for attempt in range(_TRIES):
            _wait(attempt)
            try:
                self._put(key, data, IfNoneMatch="*", Metadata={_WRITER: token})
            except ClientError as error:
                last = error
                if _is(error, _BUSY):
                    continue
                if not _is(error, _TAKEN) and not _passing(error):
                    raise self._explained(error, key) from error
            except _LOST as error:
                last = error
            else:
                return True
            present = self._head(key)  # the write may have landed although the answer says otherwise
            if present is not None:
                return bool(present["Metadata"].get(_WRITER) == token)
        raise TransientError(f"no clear answer after {_TRIES} tries: {last}", subject=self.address, field=key)

    def put(self, key: str, data: bytes) -> str:
        """Write unconditionally; returns the etag."""
        return str(self._patiently(key, lambda: self._put(key, data))["ETag"])

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        """Compare and swap; returns the new etag, or None if the object changed or vanished meanwhile."""
        token = uuid4().hex
        last: Exception | None = None
        for attempt in range(_TRIES):
            _wait(attempt)
            try:
                return str(self._put(key, data, IfMatch=etag, Metadata={_WRITER: token})["ETag"])
            except ClientError as error:
                last = error
                if _is(error, _BUSY):
                    continue
                if not _is(error, _TAKEN | _ABSENT) and not _passing(error):
                    raise self._explained(error, key) from error
            except _LOST as error:
                last = error
            present = self._head(key)
            if present is not None and present["Metadata"].get(_WRITER) == token:
                return str(present["ETag"])
            if present is None or present["ETag"] != etag:
                return None
        raise TransientError(f"no clear answer after {_TRIES} tries: {last}", subject=self.address, field=key)

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield objects below a prefix in key order."""
        token: dict[str, str] = {}
        while True:
            page = self._patiently(
                prefix,
                lambda token=token: self._client.list_objects_v2(  # type: ignore[misc]
                    Bucket=self.bucket, Prefix=self.prefix + prefix, MaxKeys=_PAGE, **token
                ),
            )
            for item in page.get("Contents", ()):
                key = item["Key"].removeprefix(self.prefix)
                yield ObjectInfo(key, int(item["Size"]), item["ETag"], item["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def delete(self, key: str) -> None:
        """Delete; deleting what is absent is no error."""
        self._patiently(key, lambda: self._client.delete_object(Bucket=self.bucket, Key=self._name(key)))

    def _name(self, key: str) -> str:
        return self.prefix + check_key(key)

    def _put(self, key: str, data: bytes, **conditions: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.put_object(
            Bucket=self.bucket, Key=self._name(key), Body=data, **conditions
        )
        return answer

    def _head(self, key: str) -> dict[str, Any] | None:
        def head() -> dict[str, Any]:
            return dict(self._client.head_object(Bucket=self.bucket, Key=self._name(key)))

        try:
            return self._patiently(key, head)
        except NotFoundError:
            return None

    def _read(self, key: str, **span: str) -> bytes:
        def read() -> bytes:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._name(key), **span)
            body: bytes = answer["Body"].read()
            if len(body) != answer["ContentLength"]:
                raise IncompleteReadError(actual_bytes=len(body), expected_bytes=answer["ContentLength"])
            return body

        return self._patiently(key, read)

    def _patiently(self, key: str, call: Callable[[], Answer]) -> Answer:
        """Repeat a call that may safely be repeated until the service answers."""
        last: Exception | None = None
        for attempt in range(_TRIES):
            _wait(attempt)
            try:
                return call()
            except ClientError as error:
                last = error
                if not _passing(error) and not _is(error, _BUSY):
                    raise self._explained(error, key) from error
            except _LOST as error:
                last = error
            except NoCredentialsError as error:
                raise PlatformError("no S3 credentials", subject=self.address, remedy="polyomics doctor") from error
            except BotoCoreError as error:
                raise PlatformError(str(error), subject=self.address, remedy="polyomics doctor") from error
        raise TransientError(f"no answer after {_TRIES} tries: {last}", subject=self.address, field=key) from last

    def _explained(self, error: ClientError, key: str) -> Exception:
        code = error.response.get("Error", {}).get("Code", "")
        if code == "NoSuchBucket":
            return InputError("there is no such bucket", subject=self.address, field="store", remedy="create it first")
        if _is(error, _ABSENT):
            return NotFoundError("no such object", subject=self.address, field=key)
        if code == "InvalidRange":
            return InputError("the range lies outside the object", subject=self.address, field=key)
        if _is(error, _DENIED):
            return PlatformError(
                f"access denied ({code})", subject=self.address, field=key, remedy="check credentials and bucket policy"
            )
        return PlatformError(f"S3 refused: {error}", subject=self.address, field=key, remedy="polyomics doctor")

    def _count(self, request: Any, **_: Any) -> None:
        """Count what goes over the wire, retries of the SDK included."""
        listing = request.method == "GET" and "list-type=2" in request.url
        self.requests["LIST" if listing else request.method] += 1


def _is(error: ClientError, codes: set[str]) -> bool:
    return bool({str(error.response.get("Error", {}).get("Code", "")), str(_status(error))} & codes)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _passing(error: ClientError) -> bool:
    return _status(error) >= 500 or _is(error, _THROTTLED)


def _wait(attempt: int) -> None:
    """Sleep before a further try: exponential with full jitter, about 12 s in all."""
    if attempt:
        time.sleep(random.uniform(0.5, 1.0) * min(0.05 * 2**attempt, 4.0))
