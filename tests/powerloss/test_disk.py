"""The disk that loses its power: it keeps what was synced, and may keep or lose anything else."""

import random

from .disk import SECTOR, Arrival, Disk, Event, Image

NAME = b"sessions.db"
OLD, NEW = b"o" * SECTOR, b"n" * SECTOR


def happens(disk: Disk, *events: tuple[str, int, int, bytes]) -> None:
    for event in events:
        disk.apply(Event(*event))


def after_crash(disk: Disk, arrival: Arrival) -> list[Image]:
    return [disk.after_crash(arrival, random.Random(seed)) for seed in range(200)]


def opened() -> Disk:
    """Two sectors of one file, durable."""
    disk = Disk({NAME.decode(): OLD * 2})
    happens(disk, ("O", 3, 0, NAME))
    return disk


def test_what_was_synced_is_there_whatever_comes_after() -> None:
    disk = opened()
    happens(disk, ("W", 3, 0, NEW), ("S", 3, 0, b""), ("W", 3, SECTOR, NEW))
    for arrival in Arrival:
        assert {image[NAME.decode()][:SECTOR] for image in after_crash(disk, arrival)} == {NEW}


def test_what_was_not_synced_may_be_there_or_not() -> None:
    disk = opened()
    happens(disk, ("W", 3, 0, NEW), ("W", 3, SECTOR, NEW))
    assert not disk.is_settled()
    assert after_crash(disk, Arrival.NONE)[0] == {NAME.decode(): OLD * 2}
    assert after_crash(disk, Arrival.ALL)[0] == disk.seen() == {NAME.decode(): NEW * 2}
    seen = {image[NAME.decode()] for image in after_crash(disk, Arrival.WRITES)}
    assert seen == {OLD * 2, OLD + NEW, NEW + OLD, NEW * 2}, "in any order"


def test_a_write_is_torn_between_sectors_and_never_within_one() -> None:
    disk = opened()
    happens(disk, ("W", 3, 100, b"n" * SECTOR))
    parts = {image[NAME.decode()] for image in after_crash(disk, Arrival.SECTORS)}
    head, tail = OLD[:100] + b"n" * (SECTOR - 100), b"n" * 100 + OLD[100:]
    assert parts == {OLD * 2, head + OLD, OLD + tail, head + tail}


def test_what_was_written_before_a_torn_write_is_there_and_what_came_after_is_not() -> None:
    disk = opened()
    happens(disk, ("W", 3, 0, NEW), ("W", 3, SECTOR, NEW * 2), ("W", 3, 0, OLD))
    assert {image[NAME.decode()] for image in after_crash(disk, Arrival.TORN)} >= {NEW + NEW + NEW, NEW + NEW}


def test_a_file_may_have_grown_without_its_content() -> None:
    disk = opened()
    happens(disk, ("W", 3, 2 * SECTOR, NEW))
    seen = {image[NAME.decode()][2 * SECTOR :] for image in after_crash(disk, Arrival.WRITES)}
    assert seen == {b"", bytes(SECTOR), NEW}


def test_a_size_that_was_set_arrives_or_not() -> None:
    disk = opened()
    happens(disk, ("T", 3, SECTOR, b""))
    assert {image[NAME.decode()] for image in after_crash(disk, Arrival.WRITES)} == {OLD, OLD * 2}


def test_a_name_is_durable_only_when_its_directory_was_synced() -> None:
    disk = Disk()
    happens(disk, ("O", 3, 0, NAME), ("W", 3, 0, NEW), ("S", 3, 0, b""))
    assert after_crash(disk, Arrival.NONE)[0] == {}
    assert {NAME.decode() in image for image in after_crash(disk, Arrival.SECTORS)} == {True, False}
    happens(disk, ("O", 4, 0, b""), ("S", 4, 0, b""))
    assert disk.is_settled()
    assert after_crash(disk, Arrival.NONE)[0] == {NAME.decode(): NEW}


def test_a_file_that_was_unlinked_may_come_back() -> None:
    disk = opened()
    happens(disk, ("U", -1, 0, NAME))
    assert disk.seen() == {}
    assert {NAME.decode() in image for image in after_crash(disk, Arrival.WRITES)} == {True, False}


def test_a_new_file_may_show_what_the_old_one_of_its_name_held() -> None:
    disk = opened()
    happens(disk, ("U", -1, 0, NAME), ("O", 4, 0, NAME), ("O", 5, 0, b""), ("S", 5, 0, b""), ("W", 4, 0, NEW * 2))
    assert OLD + NEW in {image[NAME.decode()] for image in after_crash(disk, Arrival.SECTORS)}
