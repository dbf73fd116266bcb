"""The machine is described from the kernel's files; what may change by itself does not change its fingerprint."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from app.measure.environment import capture, load_now

CPU = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 26
model\t\t: 2
model name\t: AMD EPYC
stepping\t: 1
microcode\t: 0x1000065
cpu MHz\t\t: 2596.120
physical id\t: 0
core id\t\t: 0
flags\t\t: fpu avx2 avx512f hypervisor f16c

processor\t: 1
vendor_id\t: AuthenticAMD
cpu MHz\t\t: 3000.000
physical id\t: 0
core id\t\t: 1
flags\t\t: fpu avx2
"""
ARM = """processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd asimddp crc32
CPU implementer\t: 0x41
CPU part\t: 0xd0b
CPU revision\t: 1

Hardware\t: BCM2835
Model\t\t: Raspberry Pi 5 Model B Rev 1.0
"""
FILES = {
    "proc/cpuinfo": CPU,
    "proc/meminfo": "MemTotal:       24684092 kB\nMemFree:        100 kB\nSwapTotal:             0 kB\n",
    "proc/loadavg": "1.50 2.25 3.00 2/300 1234\n",
    "proc/pressure/cpu": "some avg10=29.34 avg60=27.17 total=1\nfull avg10=0.00 avg60=0.00 total=0",
    "proc/self/cgroup": "0::/user/one\n",
    "sys/fs/cgroup/user/one/cpu.max": "150000 100000\n",
    "sys/fs/cgroup/user/cpu.max": "max 100000\n",
    "sys/fs/cgroup/user/memory.max": "8589934592\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "4200000\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/devices/system/cpu/smt/active": "0\n",
    "sys/devices/system/node/node0/meminfo": "x",
    "sys/devices/system/clocksource/clocksource0/available_clocksource": "tsc kvm-clock acpi_pm\n",
    "etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 12"\nVERSION_ID="12"\nID=debian\n',
}
CACHES = {
    "cpu0/cache/index0": ("1", "Data", "48K", "0"),
    "cpu1/cache/index0": ("1", "Data", "48K", "1"),
    "cpu0/cache/index3": ("3", "Unified", "32768K", "0-1"),
    "cpu1/cache/index3": ("3", "Unified", "32768K", "0-1"),
}


def machine(root: Path, **changed: str | None) -> Path:
    """A folder with the files of a kernel; `changed` are contents by path with dots for slashes, None to leave out."""
    files: dict[str, str | None] = dict(FILES)
    for folder, texts in CACHES.items():
        for name, text in zip(("level", "type", "size", "shared_cpu_list"), texts, strict=True):
            files[f"sys/devices/system/cpu/{folder}/{name}"] = text
    files.update(changed)
    for name, content in files.items():
        if content is not None:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    return root


def test_facts_are_read_from_the_kernel(tmp_path: Path) -> None:
    hardware = capture(machine(tmp_path), {}).hardware
    assert hardware["cpu"]["model"] == "AMD EPYC"
    assert hardware["cpu"]["microcode"] == "0x1000065"
    assert hardware["instruction_sets"] == ["avx2", "avx512f", "f16c"]
    assert (hardware["logical_cpus"], hardware["cores"], hardware["sockets"]) == (2, 2, 1)
    assert hardware["caches"] == {"L1d": "48K x 2", "L3": "32768K x 1"}
    assert (hardware["numa_nodes"], hardware["hypervisor"], hardware["governor"]) == (1, "KVM", "performance")
    assert (hardware["highest_khz"], hardware["boost"], hardware["multithreading"]) == (4_200_000, False, False)
    assert (hardware["memory_bytes"], hardware["memory_gib"]) == (24_684_092 * 1024, 24)
    assert (hardware["cpu_quota"], hardware["memory_limit_bytes"]) == (1.5, 8 << 30)
    assert hardware["huge_pages"] == "madvise"


def test_what_the_host_hides_is_none(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    environment = capture(tmp_path, {})
    for fact in ("instruction_sets", "caches", "governor", "hypervisor", "memory_bytes", "cpu_quota", "boost"):
        assert environment.hardware[fact] is None
    assert environment.hardware["cpu"]["model"] is None
    assert len(environment.fingerprint) == 16
    assert load_now(tmp_path) == {
        "load_averages": None,
        "pressure": {"cpu": None, "memory": None, "io": None},
    }


def test_an_arm_board_is_named_by_its_members_below_the_processors(tmp_path: Path) -> None:
    hardware = capture(machine(tmp_path, **{"proc/cpuinfo": ARM}), {}).hardware
    assert hardware["cpu"]["model"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert hardware["cpu"]["vendor"] == "0x41"
    assert hardware["instruction_sets"] == ["asimd", "asimddp"]
    assert (hardware["cores"], hardware["hypervisor"]) == (None, None)


def test_bare_metal_has_no_hypervisor(tmp_path: Path) -> None:
    root = machine(tmp_path, **{"proc/cpuinfo": CPU.replace(" hypervisor", "")})
    assert capture(root, {}).hardware["hypervisor"] is False


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("proc/cpuinfo", CPU.replace("2596.120", "1800.000")),
        ("proc/meminfo", FILES["proc/meminfo"].replace("24684092", "24684000")),
        ("proc/loadavg", "9.00 9.00 9.00 9/9 9\n"),
        ("sys/fs/cgroup/user/memory.max", "max\n"),
    ],
)
def test_what_changes_by_itself_leaves_the_fingerprint(tmp_path: Path, name: str, content: str) -> None:
    one = capture(machine(tmp_path / "one"), {})
    assert capture(machine(tmp_path / "two", **{name: content}), {}).fingerprint == one.fingerprint


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("proc/cpuinfo", CPU.replace("f16c", "")),
        ("proc/cpuinfo", CPU.replace("0x1000065", "0x1000066")),
        ("proc/meminfo", "MemTotal:       12684092 kB\n"),
        ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
        ("sys/fs/cgroup/user/one/cpu.max", None),
        ("etc/os-release", 'ID=debian\nVERSION_ID="13"\n'),
    ],
)
def test_another_machine_has_another_fingerprint(tmp_path: Path, name: str, content: str | None) -> None:
    one = capture(machine(tmp_path / "one"), {})
    assert capture(machine(tmp_path / "two", **{name: content}), {}).fingerprint != one.fingerprint


def test_only_harmless_variables_are_told(tmp_path: Path) -> None:
    variables = {
        "OMP_NUM_THREADS": "2",
        "OMP_PLACES": "secret\nof two lines",
        "HF_TOKEN": "hf_verysecret",
        "LLAMA_API_KEY": "sk-verysecret",
        "OPENBLAS_CORETYPE": "Haswell",
    }
    environment = capture(machine(tmp_path), variables)
    assert environment.software["variables"] == {"OMP_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Haswell"}
    assert "secret" not in json.dumps(asdict(environment))
    assert environment.fingerprint != capture(tmp_path, {}).fingerprint


def test_this_machine_tells_the_same_twice() -> None:
    assert capture() == capture()
    assert capture().hardware["logical_cpus"] >= 1
    assert "numpy" in capture().software["packages"]
    json.dumps(asdict(capture()))


def test_pressure_and_load_stand_apart(tmp_path: Path) -> None:
    told = load_now(machine(tmp_path))
    assert told["load_averages"] == [1.5, 2.25, 3.0]
    assert told["pressure"]["cpu"] == {"some": 29.34, "full": 0.0}
    assert "pressure" not in capture(tmp_path, {}).hardware
