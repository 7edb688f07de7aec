"""Files are replaced whole, with the permissions asked for."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest

from velapulumi import files
from velapulumi.errors import VelapulumiError


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_private_file_lies_in_private_folders(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "key"
    files.write(path, "secret", mode=0o600)
    assert path.read_text() == "secret"
    assert (mode(path), mode(path.parent), mode(path.parent.parent)) == (0o600, 0o700, 0o700)


def test_a_shared_file_and_its_folder_are_readable(tmp_path: Path) -> None:
    path = tmp_path / "stacks" / "clusters.yaml"
    files.write(path, "é\n")
    assert path.read_bytes() == "é\n".encode()
    assert mode(path) == 0o644
    assert mode(path.parent) & 0o500 == 0o500


def test_a_new_content_replaces_the_old_one_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("a much longer text than the new one")
    path.chmod(0o644)
    files.write(path, "new", mode=0o600)
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_stored_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(VelapulumiError, match=r"^cannot write .*: .+") as caught:
        files.write(tmp_path / "file" / "below", "text")
    assert caught.value.next_step


def test_an_interrupt_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write(tmp_path / "key", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_lock_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    path, order = tmp_path / "lock", list[str]()
    started = threading.Event()

    def second() -> None:
        started.set()
        with files.locked(path):
            order.append("second")

    with files.locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        assert started.wait(5)
        thread.join(0.1)
        order.append("first")
    thread.join(5)
    assert order == ["first", "second"]
    assert mode(path) == 0o600


def test_a_lock_is_given_up_when_its_holder_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.locked(tmp_path / "lock"):
        raise ZeroDivisionError
    with files.locked(tmp_path / "lock"):
        pass
    assert (tmp_path / "lock").exists()


def test_now_is_utc_to_the_second() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", files.now())
