"""What is measured of this machine for `info`."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from apiserver.engine.ports.host import HostFigures
from apiserver.local.figures import measure
from apiserver.local.paths import Paths
from apiserver.local.registries import registries_conf


@pytest.fixture
def figures(tmp_path: Path) -> HostFigures:
    (tmp_path / "root/storage").mkdir(parents=True)
    return measure(Paths(tmp_path / "root", tmp_path / "run"), {})


def test_memory_and_time_are_the_kernels(figures: HostFigures) -> None:
    assert 0 < figures.memory_free_bytes < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 <= figures.swap_free_bytes <= figures.swap_total_bytes
    assert 0 <= time.clock_gettime(time.CLOCK_BOOTTIME) - figures.uptime_seconds < 60


def test_the_processors_time_is_in_percent_and_not_all_of_it(figures: HostFigures) -> None:
    parts = (figures.user_percent, figures.system_percent, figures.idle_percent)
    assert all(0 < part < 100 for part in parts)
    assert sum(parts) <= 100


def test_the_disk_is_the_one_that_the_images_are_on(figures: HostFigures, tmp_path: Path) -> None:
    disk = shutil.disk_usage(tmp_path)
    assert figures.storage_bytes == disk.total
    assert abs(figures.storage_used_bytes - disk.used) < disk.total / 10
    assert figures.storage["Backing Filesystem"]
    assert {figures.storage["Native Overlay Diff"], figures.storage["Using metacopy"]} <= {"true", "false"}


def test_open_descriptors_are_counted(figures: HostFigures, tmp_path: Path) -> None:
    files = [(tmp_path / str(number)).open("w") for number in range(50)]
    more = measure(Paths(tmp_path / "root", tmp_path / "run"), {}).open_descriptors
    for file in files:
        file.close()
    assert more - figures.open_descriptors >= 50


def test_the_distribution_is_what_os_release_says(figures: HostFigures) -> None:
    text = Path("/etc/os-release").read_text()
    assert f"ID={figures.distribution['ID']}" in text


def test_a_storage_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        measure(Paths(tmp_path / "nowhere", tmp_path / "run"), {})


def test_registries_are_those_of_the_configuration_that_is_used_and_none_where_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root/storage").mkdir(parents=True)
    configuration = tmp_path / "registries.conf"
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", str(configuration))
    monkeypatch.setattr(registries_conf, "SYSTEM", tmp_path / "none/registries.conf")  # nor what lies beside it

    def found() -> tuple[str, ...]:
        return measure(Paths(tmp_path / "root", tmp_path / "run"), {}).search_registries

    assert found() == ()
    configuration.write_text('unqualified-search-registries = ["one.example", "two.example"]')
    assert found() == ("one.example", "two.example")
    for wrong in ("5", '"docker.io"', "[5]"):
        configuration.write_text(f"unqualified-search-registries = {wrong}")
        assert found() == ()
