"""Read the tensors of a PyTorch `.pth` file without PyTorch, and without trusting its pickle.

The format is torch.save's from before version 1.6 (`_legacy_load` in PyTorch's serialization.py):
five pickles one after the other (magic number, protocol version, system facts, the object, the keys
of its storages), then each storage as a 64-bit count and its raw little-endian values.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import IO, Any

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001


class _Storage:
    """A storage named in the pickle, whose values come behind it in the file."""

    def __init__(self, kind: np.dtype[Any], count: int) -> None:
        self.kind = kind
        self.count = count
        self.values = np.empty(0, kind)


class _Tensor:
    """A view of a storage; a class, because the values are not there yet when it is unpickled."""

    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def array(self) -> np.ndarray:
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        if self.offset < 0 or min(self.stride, default=0) < 0 or last >= self.storage.count:
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
        size = self.storage.kind.itemsize
        view = np.lib.stride_tricks.as_strided(
            self.storage.values[self.offset :], self.shape, tuple(s * size for s in self.stride)
        )
        return np.ascontiguousarray(view).reshape(self.shape)


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


class _FloatStorage:
    kind = np.dtype("<f4")


class _LongStorage:
    kind = np.dtype("<i8")


# All that the pickle may name. Nothing else is looked up, let alone imported or called.
_ALLOWED: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch", "FloatStorage"): _FloatStorage,
    ("torch", "LongStorage"): _LongStorage,
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[(module, name)]
        except KeyError:
            raise pickle.UnpicklingError(
                f"{module}.{name} has no place in a weights file"
            ) from None

    def persistent_load(self, reference: Any) -> _Storage:
        what, kind, key, _location, count, view = reference
        if what != "storage" or view is not None:
            raise pickle.UnpicklingError(f"unknown reference {what!r} in a weights file")
        return self.storages.setdefault(key, _Storage(kind.kind, count))


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read a state dictionary.

    Args:
        path: A `.pth` file in the legacy format.

    Returns:
        Name to float32 or int64 array, in the file's order.

    Raises:
        pickle.UnpicklingError: The file is not a pickle, or names something outside the allow-list.
    """
    with path.open("rb") as file:
        if _unpickle(file).load() != _MAGIC or _unpickle(file).load() != _PROTOCOL:
            raise pickle.UnpicklingError(f"{path.name} is no PyTorch file of the legacy format")
        _unpickle(file).load()
        unpickler = _unpickle(file)
        state = unpickler.load()
        for key in _unpickle(file).load():
            storage = unpickler.storages[key]
            if int.from_bytes(file.read(8), "little") != storage.count:
                raise pickle.UnpicklingError(f"storage {key} has another size than its tensors say")
            raw = file.read(storage.count * storage.kind.itemsize)
            storage.values = np.frombuffer(raw, storage.kind)
    return {name: tensor.array() for name, tensor in state.items()}


def _unpickle(file: IO[bytes]) -> _Unpickler:
    return _Unpickler(file)
