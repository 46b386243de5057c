"""The memory of the GPUs that the service sees, asked of the driver; nothing where there is none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class GpuMemory(Collector):
    """By device and not by process: in a container the driver counts processes of another namespace."""

    def __init__(self, nvml: Any, devices: list[Any]) -> None:
        self._nvml = nvml
        self._devices = devices

    @classmethod
    def where_there_is_one(cls) -> GpuMemory | None:
        import pynvml

        try:
            pynvml.nvmlInit()
            count = pynvml.nvmlDeviceGetCount()
            return cls(pynvml, [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]) if count else None
        except pynvml.NVMLError:
            return None

    def collect(self) -> Iterable[Metric]:
        used = GaugeMetricFamily("modelship_gpu_memory_bytes", "Memory in use of each GPU.", labels=["gpu"])
        for index, device in enumerate(self._devices):
            try:
                used.add_metric([str(index)], self._nvml.nvmlDeviceGetMemoryInfo(device).used)
            except self._nvml.NVMLError:
                continue  # It fell off the bus: the others are told all the same.
        return [used]
