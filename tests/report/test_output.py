"""Files: nothing is lost, and a file is whole or absent."""

import os
from collections.abc import Callable
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path

import pytest

from compare.report.output import Files, check_writable, write

OLD, NEW = b"precious", b"new"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Write a file that is there before."""
    path = tmp_path / "old.json"
    path.write_bytes(OLD)
    return path


def link_to(path: Path) -> Path:
    """Make a link to a file."""
    link = path.with_name("link.json")
    link.symlink_to(path)
    return link


def hard_link_to(path: Path) -> Path:
    """Give a file another name."""
    link = path.with_name("hard.json")
    os.link(path, link)
    return link


def no_link(path: Path) -> Path:
    """Name a file in another way."""
    return path.parent / ".." / path.parent.name / path.name


@pytest.mark.parametrize("force", [False, True])
def test_a_new_file_is_written(tmp_path: Path, *, force: bool) -> None:
    """It is alone in its folder, and has the mode of any new file."""
    path = tmp_path / "new"
    other = tmp_path / "other"
    other.touch()

    write(path, NEW, force=force)

    assert (path.read_bytes(), {*tmp_path.iterdir()}) == (NEW, {path, other})
    assert path.stat().st_mode == other.stat().st_mode


def test_a_file_that_appears_during_the_run_is_kept(tmp_path: Path) -> None:
    """Two commands that write the same name: the second one says so."""
    path = tmp_path / "trace"
    check_writable(path, force=False)
    check_writable(path, force=False)
    write(path, OLD, force=False)

    with pytest.raises(OSError, match=f"^cannot write {path}: File exists$"):
        write(path, NEW, force=False)

    assert (path.read_bytes(), [*tmp_path.iterdir()]) == (OLD, [path])


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_whatever_appears_during_the_run_is_kept(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    """It need not be a file."""
    path = tmp_path / "trace"
    make(path)
    mode = path.stat().st_mode

    with pytest.raises(OSError, match="cannot write"):
        write(path, NEW, force=False)

    assert (path.stat().st_mode, [*tmp_path.iterdir()]) == (mode, [path])


def test_a_link_that_appears_during_the_run_keeps_its_target(old: Path) -> None:
    """By force, the link is replaced, not what it leads to."""
    link = link_to(old)

    write(link, NEW, force=True)

    assert (link.read_bytes(), old.read_bytes()) == (NEW, OLD)
    assert not link.is_symlink()


def test_a_file_that_is_replaced_keeps_its_mode(old: Path) -> None:
    """What only its owner can read stays so."""
    old.chmod(0o600)

    write(old, NEW, force=True)

    assert (old.read_bytes(), old.stat().st_mode & 0o777) == (NEW, 0o600)


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_a_failure_leaves_what_was_there(
    old: Path, monkeypatch: pytest.MonkeyPatch, step: str, *, force: bool
) -> None:
    """A full disk leaves no part of a file, and the old file whole."""

    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, step, full)

    with pytest.raises(OSError, match=r"No space left|File exists"):
        write(old, NEW, force=force)

    assert (old.read_bytes(), [*old.parent.iterdir()]) == (OLD, [old])


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_an_interruption_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, *, force: bool
) -> None:
    """Neither a part of a file nor an empty one."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, step, interrupt)

    with suppress(KeyboardInterrupt):
        write(tmp_path / "new", NEW, force=force)

    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("force", [False, True])
def test_a_link_is_not_written(old: Path, *, force: bool) -> None:
    """Its target may be anything."""
    with pytest.raises(ValueError, match="is a link: choose another name"):
        check_writable(link_to(old), force=force)


@pytest.mark.parametrize("name", [no_link, hard_link_to])
def test_an_input_is_not_written(old: Path, name: Callable[[Path], Path]) -> None:
    """It is recognized by any of its names, also with force."""
    with pytest.raises(ValueError, match="is read as well"):
        Files(figure=None, json=name(old), force=True, inputs=[old])


def test_a_link_to_an_input_is_recognized(old: Path) -> None:
    """The input may be named by a link."""
    with pytest.raises(ValueError, match="is read as well"):
        check_writable(old, force=True, inputs=[link_to(old)])


def test_other_inputs_do_not_matter(old: Path, tmp_path: Path) -> None:
    """One may be absent: reading it is another error."""
    check_writable(old, force=True, inputs=[tmp_path / "absent", Path("n" * 303)])


def test_two_names_of_one_file_are_the_same_file(old: Path) -> None:
    """The picture would replace the JSON."""
    picture = old.with_name("picture.png")
    os.link(old, picture)

    with pytest.raises(ValueError, match="--json and --figure name the same file"):
        Files(old, picture, force=True)


def test_a_long_name_can_be_written(tmp_path: Path) -> None:
    """The part beside it needs no longer name."""
    path = tmp_path / ("n" * 255)
    check_writable(path, force=False)

    write(path, NEW, force=False)

    assert path.read_bytes() == NEW


def test_a_deleted_folder_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line names the file; what is written elsewhere needs no folder."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()

    with pytest.raises(ValueError, match=r"^cannot write x\.json: No such file"):
        Files(Path("x.json"))
    Files(Path("-"))
