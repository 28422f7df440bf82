from __future__ import annotations

import functools
import multiprocessing
import os
import threading

import pytest

from polyomics.errors import InputError, NotFoundError, PlatformError
from polyomics.store import local
from polyomics.store.address import open_store
from polyomics.store.local import LocalStore


def race(n, work):
    barrier = threading.Barrier(n)
    results = [None] * n

    def one(index):
        barrier.wait()
        results[index] = work(index)

    threads = [threading.Thread(target=one, args=(index,)) for index in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_what_is_written_is_read(store):
    assert store.create("a/b.json", b"hello")
    assert store.get("a/b.json") == b"hello"
    assert store.get_range("a/b.json", 1, 3) == b"ell"
    assert store.get_range("a/b.json", 3, 100) == b"lo"
    info = store.head("a/b.json")
    assert (info.key, info.size) == ("a/b.json", 5)
    store.delete("a/b.json")
    store.delete("a/b.json")
    assert store.head("a/b.json") is None
    with pytest.raises(NotFoundError):
        store.get("a/b.json")
    with pytest.raises(NotFoundError):
        store.get_range("a/b.json", 0, 1)


def test_create_never_replaces(store):
    assert store.create("one", b"first")
    assert not store.create("one", b"second")
    assert store.get("one") == b"first"


def test_of_many_threads_one_creates(store):
    for round_ in range(5):
        won = race(12, lambda index, key=f"race/{round_}": store.create(key, f"writer {index}".encode()))
        assert sum(won) == 1
        assert store.get(f"race/{round_}") == f"writer {won.index(True)}".encode()


_opened = functools.cache(open_store)  # one per process


def _create(address, key, text):
    return _opened(address).create(key, text.encode() * 10_000)


def test_of_many_processes_one_creates(address):
    store = open_store(address)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for round_ in range(5):
            key = f"race/{round_}"
            won = pool.starmap(_create, [(address, key, f"writer {index}") for index in range(8)])
            assert sum(won) == 1
            assert store.get(key) == f"writer {won.index(True)}".encode() * 10_000


def test_put_replaces_and_replace_compares(store):
    first = store.put("beat", b"1")
    assert store.head("beat").etag == first
    second = store.replace("beat", b"2", first)
    assert second is not None
    assert second != first
    assert store.replace("beat", b"3", first) is None
    assert store.get("beat") == b"2"
    assert store.replace("absent", b"x", first) is None
    assert store.head("absent") is None


def test_compare_and_swap_loses_no_update(store):
    store.put("counter", b"0")

    def add(_):
        for _ in range(5):
            while True:
                info = store.head("counter")
                if store.replace("counter", str(int(store.get("counter")) + 1).encode(), info.etag):
                    break

    race(4, add)
    assert store.get("counter") == b"20"


def test_listing_is_in_key_order_below_any_prefix(store):
    keys = ["t/a-b/1", "t/a/2", "t/a/1", "t/a.c", "t/ab/1", "t/b", "u/x"]
    for key in keys:
        store.put(key, b"")
    assert [info.key for info in store.list("t/")] == sorted(key for key in keys if key.startswith("t/"))
    assert [info.key for info in store.list("t/a")] == sorted(key for key in keys if key.startswith("t/a"))
    assert [info.key for info in store.list("t/a/")] == ["t/a/1", "t/a/2"]
    assert list(store.list("nothing/")) == []


@pytest.mark.parametrize("key", ["", "/a", "a//b", "../a", "a/../b", ".hidden", "a/.tmp", "a b", "ä", "a" * 901])
def test_strange_keys_are_refused(store, key):
    with pytest.raises(InputError):
        store.put(key, b"")


def test_the_format_is_written_once_and_a_newer_one_refused(store, address):
    stamp = store.head("_polyomics.json")
    assert store.get("_polyomics.json") == b'{"format":1}'
    again = open_store(address)
    assert again.head("_polyomics.json").etag == stamp.etag
    store.put("_polyomics.json", b'{"format":2}')
    with pytest.raises(PlatformError, match="upgrade"):
        open_store(address)


def test_opening_to_read_makes_nothing(tmp_path):
    with pytest.raises(NotFoundError):
        open_store(tmp_path / "absent", create=False)
    assert not (tmp_path / "absent").exists()


def test_addresses(tmp_path):
    assert open_store(f"file://{tmp_path}/a").address == open_store(tmp_path / "a").address == f"file://{tmp_path}/a"
    with pytest.raises(InputError, match="scheme"):
        open_store("gopher://a/b")
    with pytest.raises(InputError):
        open_store("")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="not a directory"):
        open_store(tmp_path / "file")


def test_a_writer_that_dies_leaves_nothing_visible(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(local.os, "link", die)
    with pytest.raises(KeyboardInterrupt):
        store.create("a/b", b"half")
    monkeypatch.setattr(local.os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        store.put("a/b", b"half")
    assert list(store.list("")) == []
    assert store.head("a/b") is None


def test_without_hard_links_create_is_still_exclusive(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(local.errno.EPERM, "no links here")

    monkeypatch.setattr(local.os, "link", refuse)
    store = LocalStore(tmp_path)
    won = race(8, lambda index: store.create("one", str(index).encode()))
    assert sum(won) == 1
    assert store.get("one") == str(won.index(True)).encode()


def test_a_full_disk_is_a_resource_failure(tmp_path, monkeypatch):
    store = LocalStore(tmp_path)

    def full(_):
        raise OSError(local.errno.ENOSPC, os.strerror(local.errno.ENOSPC))

    monkeypatch.setattr(local.os, "fsync", full)
    with pytest.raises(MemoryError, match="disk is full"):
        store.put("a", b"x")
    assert not list((tmp_path / ".polyomics" / "tmp").iterdir())


def test_requests_are_counted(s3_address):
    store = open_store(s3_address)
    store.requests.clear()
    store.create("a", b"x")
    store.get("a")
    store.head("a")
    list(store.list(""))
    assert store.requests == {"PUT": 1, "GET": 1, "HEAD": 1, "LIST": 1}


def test_a_missing_bucket_is_named(s3_address):
    with pytest.raises(InputError, match="no such bucket"):
        open_store("s3://polyomics-not-there/x")
