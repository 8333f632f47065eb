"""What a model takes and gives: a JSON file beside its ONNX file, so that nothing is guessed.

`contract.schema.json` says what is in it. The program that starts the jobs holds a custom model's
against it before anything is made; here, what only the model's file tells is compared as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import UserError
from ..images import Frame

SCHEMA = files(__package__).joinpath("contract.schema.json")

TYPES = ("uint8", "float", "float16")
"""Types that pixels may have, in the words of ONNX Runtime."""


class Tensor(NamedTuple):
    """An input or output of a model, as its file has it.

    Attributes:
        name: Its name.
        type: Its elements, in the words of ONNX Runtime: `float` is float32.
        shape: Numbers, and words or None for any size.
    """

    name: str
    type: str
    shape: Sequence[int | str | None]

    def __str__(self) -> str:
        return f"{self.name} {self.type} {list(self.shape)}"


@dataclass(frozen=True)
class Contract:
    """See the schema.

    Attributes:
        file: Where it was read from.
        frame: What of a picture the model sees, and how large.
        channels_last: Whether the layout is NHWC.
        normalisation: Mean and standard deviation of the channels; None: pixels as they are.
        logits: Name of the output with a number for each class.
        vector: Name of the output with the image's vector.
        labels: The classes' names, in the order of the logits; empty for an encoder.
    """

    file: Path
    frame: Frame
    channels_last: bool
    normalisation: tuple[list[float], list[float]] | None
    logits: str | None
    vector: str | None
    labels: list[str]

    def check(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> None:
        """Compare with what the model's file says.

        Args:
            inputs: All that the model takes.
            outputs: All that it gives.

        Raises:
            UserError: All that is different.
        """
        wrong = self._wrong_input(inputs)
        shapes = {one.name: one.shape for one in outputs}
        classes = len(self.labels)
        for key, name in (("logits", self.logits), ("vector", self.vector)):
            if name is None:
                continue
            if name not in shapes:
                wrong.append(f'"outputs" has {key} "{name}"; the model has {", ".join(shapes)}')
            elif len(shapes[name]) != 2:
                wrong.append(f'"outputs" has {key} "{name}", which is no matrix: {shapes[name]}')
            elif key == "logits" and shapes[name][1] != classes and _is_fixed(shapes[name][1]):
                wrong.append(f'"labels" has {classes} classes, and "{name}" has {shapes[name][1]}')
        if wrong:
            raise refused(self.file, wrong)

    def _wrong_input(self, inputs: Sequence[Tensor]) -> list[str]:
        if len(inputs) != 1 or len(inputs[0].shape) != 4:
            taken = "; ".join(map(str, inputs))
            return [f"the model takes {taken}: export only the part that takes images"]
        [image] = inputs
        wrong = []
        if image.type not in TYPES:
            wrong.append(f"the model takes {image.type}: export it with float32 or uint8 pixels")
        if image.type == "uint8" and self.normalisation is not None:
            wrong.append('"mean" and "standardDeviation" must be null, since the model takes uint8')
        side = self.frame.size
        expected = (side, side, 3) if self.channels_last else (3, side, side)
        if any(_is_fixed(n) and n != m for n, m in zip(image.shape[1:], expected, strict=True)):
            layout = "NHWC" if self.channels_last else "NCHW"
            wrong.append(
                f'"layout" {layout} and "size" {side} make [n, {", ".join(map(str, expected))}], '
                f"and the model takes {image}"
            )
        return wrong


def _is_fixed(size: int | str | None) -> bool:
    return isinstance(size, int)


def contract_file(model: str | Path) -> Path:
    """Where the contract of a model is."""
    return Path(model).with_suffix(".json")


def read_contract(model: str | Path) -> Contract:
    """Read the contract of a model, and the labels that it names.

    Args:
        model: The ONNX file.

    Raises:
        UserError: All that is missing or wrong in the two files.
    """
    import jsonschema

    file = contract_file(model)
    fields = _read(file)
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    errors = jsonschema.Draft202012Validator(schema).iter_errors(fields)
    wrong = [".".join(map(str, [*error.absolute_path, error.message])) for error in errors]
    if wrong:
        raise refused(file, sorted(wrong))
    wrong, labels = _wrong_together(fields), []
    if fields["labels"] is not None:
        try:
            labels = _read_labels(file.with_name(fields["labels"]))
        except (OSError, ValueError) as error:
            wrong.append(f"{fields['labels']}: {error}")
    if wrong:
        raise refused(file, wrong)
    return Contract(
        file=file,
        frame=Frame(fields["size"], fields["crop"]),
        channels_last=fields["layout"] == "NHWC",
        normalisation=fields["mean"] and (fields["mean"], fields["standardDeviation"]),
        logits=fields["outputs"]["logits"],
        vector=fields["outputs"]["vector"],
        labels=labels,
    )


def _read(file: Path) -> Any:
    """What is in a JSON file.

    Raises:
        UserError: It is missing, or no JSON.
    """
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise refused(file, [str(error)]) from error


def _wrong_together(fields: Mapping[str, Any]) -> list[str]:
    """What is wrong with fields that are each as they may be."""
    outputs, wrong = fields["outputs"], []
    if (fields["mean"] is None) != (fields["standardDeviation"] is None):
        wrong.append('"mean" and "standardDeviation" must both be lists, or both null')
    if (outputs["logits"] is None) != (fields["labels"] is None):
        wrong.append('"labels" must be a file with "logits" among the outputs, and null without')
    if outputs["logits"] is None and outputs["vector"] is None:
        wrong.append('"outputs" must name "logits", "vector" or both')
    return wrong


def _read_labels(file: Path) -> list[str]:
    """The classes' names.

    Raises:
        OSError: There is no such file.
        ValueError: It is no JSON list of strings.
    """
    labels = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(labels, list) or not all(isinstance(one, str) and one for one in labels):
        raise ValueError("not a list of names")
    return labels


def refused(file: Path, wrong: Sequence[str]) -> UserError:
    """What to say of a contract with something wrong in it."""
    return UserError(
        f"{file.name} does not say what the model takes and gives: {'; '.join(wrong)}.",
        "Runs with a guess would compare other answers than the model's.",
        "Correct the file beside the model: docs/models.md has its fields and an example.",
    )
