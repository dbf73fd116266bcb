"""What machine this is and what software is on it: facts, and a fingerprint over those that stay as they are.

Two machines of one kind with the same software have the same fingerprint, and so has one machine after a restart:
figures under it may be compared. A fact that the host hides is None. Everything is read from files of the kernel; on
another system than Linux most facts are therefore None.

Never here: load and pressure inside the fingerprint (`load_now` tells them), or environment variables other than those
of `_VARIABLES`, so that no secret gets into a result.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from app.measure.values import Environment

_GIB = 1 << 30
_DIGITS = 16

# Instruction sets that inference engines have kernels for.
_INSTRUCTION_SETS = frozenset(
    {"sse4_2", "avx", "avx2", "f16c", "fma", "bmi2", "avx_vnni"}
    | {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512vbmi", "avx512_vbmi2", "avx512_vnni"}
    | {"avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"}
    | {"asimd", "asimdhp", "asimddp", "bf16", "i8mm", "sve", "sve2", "sme"}
)
_PACKAGES = (
    "llama-cpp-python",
    "gguf",
    "numpy",
    "torch",
    "transformers",
    "xllamacpp",
    "lm_eval",
)
# Variables that change how many threads run and where, or which kernels are taken: numbers and short words. Without
# KMP_BLOCKTIME, which llama.cpp sets by itself, so that it would be told of the processes below it only.
_VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",
    "OMP_DYNAMIC",
    "OMP_SCHEDULE",
    "OMP_PROC_BIND",
    "OMP_PLACES",
    "OMP_WAIT_POLICY",
    "GOMP_CPU_AFFINITY",
    "GOMP_SPINCOUNT",
    "KMP_AFFINITY",
    "MKL_NUM_THREADS",
    "MKL_DYNAMIC",
    "MKL_ENABLE_INSTRUCTIONS",
    "OPENBLAS_NUM_THREADS",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "ONEDNN_MAX_CPU_ISA",
    "ATEN_CPU_CAPABILITY",
    "MALLOC_ARENA_MAX",
    "CUDA_VISIBLE_DEVICES",
)
_HARMLESS = re.compile(r"[\w .,:{}()+-]{0,80}")

# Facts that are told but may differ between two starts of one machine, or say nothing about speed.
_UNSTABLE = frozenset({"memory_bytes", "memory_limit_bytes", "swap_bytes", "affinity"})


def capture(root: Path = Path("/"), variables: Mapping[str, str] = os.environ) -> Environment:
    """The machine as its kernel describes it. `root` is the folder below which `proc`, `sys` and `etc` stand."""
    hardware = _hardware(_Files(root))
    software = _software(_Files(root), variables)
    return Environment(fingerprint(hardware, software), hardware, software)


def fingerprint(hardware: Mapping[str, Any], software: Mapping[str, Any]) -> str:
    """16 hexadecimal digits over the facts that do not change by themselves; the order of facts does not matter."""
    stable = {name: value for name, value in hardware.items() if name not in _UNSTABLE}
    text = json.dumps([stable, software], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def load_now(root: Path = Path("/")) -> dict[str, Any]:
    """What the machine is doing besides: load averages, and the shares of time lost to pressure (PSI), in percent."""
    files = _Files(root)
    words = (files.text("proc/loadavg") or "").split()
    averages = [float(word) for word in words[:3]] or None
    return {"load_averages": averages, "pressure": {name: _pressure(files, name) for name in ("cpu", "memory", "io")}}


class _Files:
    """Reads the small files of the kernel; what is not there or not readable is None."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def text(self, name: str) -> str | None:
        try:
            return (self.root / name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        return _whole(self.text(name))

    def matching(self, folder: str, pattern: str) -> list[str]:
        """Names relative to the root, in an order that does not depend on the file system."""
        return sorted(str(path.relative_to(self.root)) for path in (self.root / folder).glob(pattern))


def _hardware(files: _Files) -> dict[str, Any]:
    processors = _processors(files)
    first = processors[0] if processors else {}
    flags = set((first.get("flags") or first.get("Features") or "").split())
    memory = _memory(files)
    total = memory.get("MemTotal")
    quota, limit = _limits(files)
    return {
        "cpu": {
            "vendor": first.get("vendor_id") or first.get("CPU implementer"),
            "model": first.get("model name") or first.get("Model") or first.get("Hardware"),
            "family": first.get("cpu family"),
            "model_number": first.get("model") or first.get("CPU part"),
            "stepping": first.get("stepping") or first.get("CPU revision"),
            "microcode": first.get("microcode"),
        },
        "instruction_sets": sorted(flags & _INSTRUCTION_SETS) if flags else None,
        "logical_cpus": len(processors) or os.cpu_count(),
        "cores": _count(processors, "physical id", "core id"),
        "sockets": _count(processors, "physical id"),
        "multithreading": _flag(files.number("sys/devices/system/cpu/smt/active")),
        "usable_cpus": len(_affinity()),
        "affinity": _affinity(),
        "caches": _caches(files),
        "numa_nodes": len(files.matching("sys/devices/system/node", "node[0-9]*")) or None,
        "hypervisor": _hypervisor(files, first),
        "memory_bytes": total,
        "memory_gib": -(-total // _GIB) if total else None,
        "swap_bytes": memory.get("SwapTotal"),
        "huge_pages": _chosen(files.text("sys/kernel/mm/transparent_hugepage/enabled")),
        "governor": files.text("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "highest_khz": files.number("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq"),
        "boost": _boost(files),
        "energy_counters": [name.rsplit("/", 1)[-1] for name in files.matching("sys/class/powercap", "*:*")] or None,
        "cpu_quota": quota,
        "memory_limit_bytes": limit,
        "accelerators": len(files.matching("proc/driver/nvidia/gpus", "*")),
    }


def _software(files: _Files, variables: Mapping[str, str]) -> dict[str, Any]:
    release = dict(re.findall(r'^(ID|VERSION_ID)="?([^"\n]*)"?$', files.text("etc/os-release") or "", re.MULTILINE))
    return {
        "system": platform.system(),
        "distribution": release.get("ID"),
        "distribution_version": release.get("VERSION_ID"),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "python": platform.python_version(),
        "packages": {name: version for name in _PACKAGES if (version := _version(name)) is not None},
        "variables": {
            name: variables[name] for name in _VARIABLES if name in variables and _HARMLESS.fullmatch(variables[name])
        },
    }


def _processors(files: _Files) -> list[dict[str, str]]:
    """One record for each processor of /proc/cpuinfo; members that stand apart, as on ARM, go to the first."""
    text = files.text("proc/cpuinfo") or ""
    blocks = [dict(_members(block.splitlines())) for block in text.split("\n\n")]
    processors = [block for block in blocks if "processor" in block]
    if processors:
        for block in blocks:
            if "processor" not in block:
                processors[0] = {**block, **processors[0]}
    return processors


def _members(lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


def _count(processors: list[dict[str, str]], *names: str) -> int | None:
    """How many different values the members have together; None where a processor does not tell."""
    found = {tuple(processor.get(name) for name in names) for processor in processors}
    return len(found) if found and not any(None in values for values in found) else None


def _affinity() -> list[int]:
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _memory(files: _Files) -> dict[str, int]:
    """Bytes by name, from /proc/meminfo, which tells KiB."""
    found = re.findall(r"^(\w+):\s+(\d+) kB$", files.text("proc/meminfo") or "", re.MULTILINE)
    return {name: int(number) * 1024 for name, number in found}


def _caches(files: _Files) -> dict[str, str] | None:
    """Size of one cache and how many there are, by level and kind: {"L1d": "48K x 2"}."""
    instances: dict[tuple[str, str], set[str | None]] = {}
    for folder in files.matching("sys/devices/system/cpu", "cpu[0-9]*/cache/index[0-9]*"):
        level, kind, size = (files.text(f"{folder}/{name}") for name in ("level", "type", "size"))
        if level and kind and size:
            letter = {"Data": "d", "Instruction": "i"}.get(kind, "")
            shared = files.text(f"{folder}/shared_cpu_list")
            instances.setdefault((f"L{level}{letter}", size), set()).add(shared)
    return {name: f"{size} x {len(shared)}" for (name, size), shared in sorted(instances.items())} or None


_CLOCKS = {"kvm-clock": "KVM", "hyperv_clocksource_tsc_page": "Hyper-V", "xen": "Xen"}


def _hypervisor(files: _Files, first: Mapping[str, str]) -> str | bool | None:
    """Kind of virtual machine; False on bare metal, None where the processor does not tell (only x86 does)."""
    if "flags" not in first:
        return files.text("sys/hypervisor/type")
    if "hypervisor" not in first["flags"].split():
        return False
    clocks = (files.text("sys/devices/system/clocksource/clocksource0/available_clocksource") or "").split()
    known = next((_CLOCKS[clock] for clock in clocks if clock in _CLOCKS), None)
    return known or files.text("sys/hypervisor/type") or files.text("sys/class/dmi/id/sys_vendor") or "unknown"


def _boost(files: _Files) -> bool | None:
    if (on := files.number("sys/devices/system/cpu/cpufreq/boost")) is not None:
        return bool(on)
    if (off := files.number("sys/devices/system/cpu/intel_pstate/no_turbo")) is not None:
        return not off
    return None


def _limits(files: _Files) -> tuple[float | None, int | None]:
    """CPUs and bytes that the control groups leave to this process; None without a limit."""
    quotas: list[float] = []
    limits: list[int] = []
    for folder in _groups(files):
        words = (files.text(f"{folder}/cpu.max") or "").split()
        if len(words) == 2 and words[0] != "max":
            quotas.append(int(words[0]) / int(words[1]))
        quota, period = (files.number(f"{folder}/cpu.cfs_{name}_us") for name in ("quota", "period"))
        if quota and period and quota > 0:
            quotas.append(quota / period)
        for name in ("memory.max", "memory.limit_in_bytes"):
            limit = files.number(f"{folder}/{name}")
            if limit is not None and limit < 1 << 60:  # version 1 writes a huge number for "none"
                limits.append(limit)
    return min(quotas, default=None), min(limits, default=None)


def _groups(files: _Files) -> Iterable[str]:
    """Folders of this process's control groups and of all groups above them, of both versions."""
    for line in (files.text("proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        top = "sys/fs/cgroup" + (f"/{controllers}" if controllers else "")
        steps = [step for step in path.split("/") if step and step != ".."]
        for length in range(len(steps) + 1):
            yield "/".join([top, *steps[:length]])


def _chosen(text: str | None) -> str | None:
    """The word in brackets of a file such as `always [madvise] never`."""
    found = re.search(r"\[(\w+)\]", text or "")
    return found.group(1) if found else None


def _pressure(files: _Files, name: str) -> dict[str, float] | None:
    found = re.findall(r"^(some|full) avg10=([\d.]+)", files.text(f"proc/pressure/{name}") or "", re.MULTILINE)
    return {kind: float(share) for kind, share in found} or None


def _version(name: str, ask: Callable[[str], str] = importlib.metadata.version) -> str | None:
    try:
        return ask(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _whole(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _flag(number: int | None) -> bool | None:
    return None if number is None else bool(number)
