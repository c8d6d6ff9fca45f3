"""The registry, the book and the settings: a fault is named with its file and line."""

from pathlib import Path

import pytest

from fems.errors import AccessDenied, ConfigError, ServiceUnavailable
from fems.lake.store import FolderStore, MinioStore
from fems.registry.book import book_names, load_book
from fems.registry.plant import load_plant
from fems.settings import Settings, settings

REGISTRY = settings().factories_file.read_text(encoding="utf-8")


def test_the_plant_of_the_study_is_registered() -> None:
    plant = load_plant(settings().factories_file)
    assert list(plant.factories) == ["1100", "1120", "2100", "2120", "2140", "2160", "steel"]
    for factory_id, factory in plant.factories.items():
        if factory.simulated:
            assert 4 <= len(factory.equipment) <= 8 and factory.steam_traps
        assert all(
            s.sensor_id.startswith(factory_id)
            for f in plant.feeds(factory_id)
            for s in plant.sensors(factory_id, f)
        )
    grains = sorted(plant.grain_minutes(f, "meter") for f in plant.factories if f != "steel")
    assert grains == [1, 1, 15, 15, 15, 15]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("shifts: two_shift", "shifts: sometimes", "factories.1100.shifts"),
        ("grain: {meter: 1min, steam_trap: 15min}", "grain: {meter: 7min, steam_trap: 15min}", "grain.meter"),
        ("rated_kw: 420", "rated_kw: -1", "rated_kw: Input should be greater than 0"),
        ("rated_kw: 420", "rated_kw: 420, colour: red", "colour: Extra inputs are not permitted"),
        ("sensor: 1100-M02", "sensor: 1100-M01", "one sensor stands on two machines"),
        (
            "mapping: {meter: fems_csv,",
            "mapping: {meter: nothing,",
            "mapping 'nothing' of feed meter is not under",
        ),
        ('  "1120":', '  "1100":', "the key '1100' stands twice"),
        ("time_marks: end", "time_marks: middle", "time_marks"),
        ("    name: Forging", "    name: [Forging", ""),
    ],
)
def test_a_wrong_registry_names_its_line(tmp_path: Path, old: str, new: str, words: str) -> None:
    path = tmp_path / "factories.yaml"
    text = REGISTRY.replace(old, new, 1)
    assert text != REGISTRY
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_plant(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:") and words in message
    assert "\n" not in message
    line = int(message.removeprefix(f"{path}:").partition(":")[0])
    if words and "not under" not in words:
        shown = text.splitlines()[max(0, line - 12) : line + 12]
        assert any(new.splitlines()[0].strip() in row for row in shown)


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_plant(tmp_path / "factories.yaml")
    (tmp_path / "meter.yaml").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"meter\.yaml:1: the file is empty"):
        load_book(tmp_path, "meter")


def test_a_comment_in_the_book_changes_nothing_and_a_limit_does(tmp_path: Path) -> None:
    original = load_book(settings().definitions_dir, "meter")
    text = (settings().definitions_dir / "meter.yaml").read_text(encoding="utf-8")
    path = tmp_path / "meter.yaml"
    path.write_text("# a remark\n" + text, encoding="utf-8")
    assert load_book(tmp_path, "meter").version == original.version
    path.write_text(text.replace("max_of_rated: 1.15", "max_of_rated: 1.2", 1), encoding="utf-8")
    assert load_book(tmp_path, "meter").version != original.version


@pytest.mark.parametrize("feed", book_names(settings().definitions_dir))
def test_every_book_is_valid(feed: str) -> None:
    assert load_book(settings().definitions_dir, feed).feed == feed


def test_settings_name_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEMS_S3_BUCKET", "else")
    assert Settings().s3_bucket == "else"
    with pytest.raises(ConfigError, match="FEMS_S3_ENDPOINT='minio:9000'"):
        MinioStore("minio:9000", "a", "b", "c")
    with pytest.raises(ConfigError, match="FEMS_S3_ACCESS_KEY"):
        MinioStore("http://127.0.0.1:1", "", "", "c")


def test_a_folder_store_is_whole_or_absent(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.put("a/b", b"1")
    assert [o.key for o in store.list("a/")] == ["a/b"]
    store.put("a/date=2025-03-01/x", b"2")
    assert [o.key for o in store.list("a/date=2025-03-")] == ["a/date=2025-03-01/x"]
    store.delete("a/date=2025-03-01/x")
    with pytest.raises(KeyError):
        store.get("a/c")
    store.delete("a/b")
    store.delete("a/b")
    assert list(store.list("a/")) == []


@pytest.mark.services
def test_the_object_store_says_what_is_wrong(services) -> None:
    secret = services.credentials
    url = services.config.minio_url
    good = MinioStore(url, secret.minio_user, secret.minio_password, "fems")
    good.put("test/a", b"bytes")
    assert good.get("test/a") == b"bytes"
    assert [o.key for o in good.list("test/")] == ["test/a"]
    with pytest.raises(KeyError):
        good.get("test/none")
    good.delete("test/a")
    with pytest.raises(AccessDenied, match=r"refuses this account.*FEMS_S3_ACCESS_KEY"):
        list(MinioStore(url, secret.minio_user, "wrong-password", "fems").list("raw/"))
    with pytest.raises(AccessDenied, match=r"refuses this account.*InvalidAccessKeyId"):
        MinioStore(url, "nobody", "wrong-password", "fems", patience=0).get("raw/none")
    with pytest.raises(ConfigError, match="has no bucket 'nowhere'"):
        list(MinioStore(url, secret.minio_user, secret.minio_password, "nowhere").list("raw/"))
    with pytest.raises(ServiceUnavailable, match="did not answer"):
        list(MinioStore("http://127.0.0.1:9", "a", "b", "fems").list("raw/"))
