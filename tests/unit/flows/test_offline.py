"""`fems process --out DIR`: what it makes anew is what it made, and nothing else of the folder."""

from pathlib import Path

import pytest

from fems.errors import ConfigError
from fems.lake.output import WRITTEN, OutputFolder


def test_only_what_was_written_before_is_removed(tmp_path: Path) -> None:
    first = OutputFolder(tmp_path, tmp_path / "in")
    first.put("processed/meter/a.parquet", b"a")
    first.put("quality/b.json", b"b")
    (tmp_path / "notes.txt").write_text("mine")
    second = OutputFolder(tmp_path, tmp_path / "in")
    second.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "processed", "quality"]
    assert not list((tmp_path / "processed").iterdir())


def test_somebody_elses_file_stops_it_before_anything_is_removed(tmp_path: Path) -> None:
    OutputFolder(tmp_path, tmp_path / "in").put("processed/a.parquet", b"a")
    own = tmp_path / "processed" / "thesis" / "chapter.txt"
    own.parent.mkdir()
    own.write_text("three years of work")
    with pytest.raises(ConfigError, match=r"chapter\.txt.*was not written by this command"):
        OutputFolder(tmp_path, tmp_path / "in").clear()
    assert own.read_text() and (tmp_path / "processed" / "a.parquet").exists()


def test_a_list_that_names_other_places_removes_nothing_there(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("kept")
    out = tmp_path / "out"
    (out / "processed").mkdir(parents=True)
    (out / "processed" / "link").symlink_to(outside)
    (out / WRITTEN).write_text(f"../outside.txt\n{outside}\nprocessed/link\n")
    OutputFolder(out, tmp_path).clear()
    assert outside.read_text() == "kept" and not (out / "processed" / "link").is_symlink()


def test_a_run_that_was_cut_short_is_cleared_away(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path, tmp_path / "in")
    folder.put("processed/a.parquet", b"a")
    (tmp_path / "processed" / "a.parquet").rename(tmp_path / "processed" / "a.parquet.part")
    folder.clear()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
