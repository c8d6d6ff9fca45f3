"""supervisord's logs on a full disk."""

from pathlib import Path

from supervisor import loggers

from embedded.daemon import LossyLog


def log(path: Path, maxbytes: int = 0) -> tuple[loggers.Logger, LossyLog]:
    handler = LossyLog(str(path), maxBytes=maxbytes, backupCount=1)
    handler.setFormat("%(message)s")
    handler.setLevel(loggers.LevelsByName.INFO)
    return loggers.Logger(handlers=[handler]), handler


def test_what_finds_no_room_is_counted_and_said_when_there_is_room_again(tmp_path: Path) -> None:
    logger, handler = log(tmp_path / "x.log")
    logger.info("before\n")
    room = handler.stream
    with Path("/dev/full").open("ab", buffering=0) as handler.stream:
        logger.info("lost\n")
        logger.info("lost, too\n")
    handler.stream = room
    logger.info("after\n")
    assert (tmp_path / "x.log").read_text().splitlines() == [
        "before",
        "[the disk was full: up to 2 writes before this one are lost]",
        "after",
    ]


def test_a_roll_over_that_found_no_room_goes_on_in_the_file_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    logger, handler = log(path, maxbytes=10)
    logger.info("a first line\n")  # rolls over
    handler.stream.close()  # as a roll-over that died after the close
    logger.info("then\n")
    assert path.read_text() == "then\n"
    assert Path(f"{path}.1").read_text() == "a first line\n"
