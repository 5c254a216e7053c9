"""What is written whole appears with all of its contents, or not at all."""

from pathlib import Path

import pytest

from growlang.atomic import replace, whole, write_text


@pytest.mark.parametrize("shared", [False, True])
def test_a_failure_keeps_what_was_there_and_leaves_nothing_else(
    tmp_path: Path, shared: bool
) -> None:
    final = tmp_path / "a.txt"
    final.write_text("before")
    with pytest.raises(ValueError), whole(final, shared=shared) as temporary:
        temporary.write_text("half")
        assert final.read_text() == "before"
        raise ValueError
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert final.read_text() == "before"


def test_what_a_killed_process_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".a.tmp").mkdir()
    (tmp_path / ".a.tmp/half").touch()
    with whole(tmp_path / "a") as temporary:
        temporary.mkdir()
        (temporary / "part").write_text("1")
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "part"]


def test_two_writers_of_a_shared_file_have_their_own_paths(tmp_path: Path) -> None:
    with whole(tmp_path / "a", shared=True) as one, whole(tmp_path / "a", shared=True) as other:
        one.write_text("1")
        other.write_text("2")
    assert (tmp_path / "a").read_text() == "1"


def test_a_file_that_is_replaced_keeps_its_permissions_and_links(tmp_path: Path) -> None:
    target, link = tmp_path / "a.txt", tmp_path / "link.txt"
    write_text(target, "before")
    target.chmod(0o640)
    link.symlink_to(target)
    replace(link, "after\r\n")
    assert target.read_bytes() == b"after\r\n"
    assert target.stat().st_mode & 0o777 == 0o640
    assert link.is_symlink()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no such folder: .*nowhere"):
        write_text(tmp_path / "nowhere" / "file", "text")
