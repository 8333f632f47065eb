"""image-predictions: the model's first choice of label for each image, and its confidence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from ..describe import WorkloadFacts, workload_facts
from ..model.session import ModelSession
from ..verify import SHOWN, Verdict, examples, relative_deviations, worst
from .base import Inputs
from .image_oracle import OracleModel
from .image_workload import ImageWorkload, is_exact

NEAR = 0.8
"""A label is as good as the oracle's first choice if the oracle finds it at least 0.8 as likely.

Where the model wavers between two labels, the last digits of the pixels decide, and they differ
between decoders. Of 1000 sample pictures, decoded by Daft and by Pillow, 97.4 % got the same label,
and all the same or a near one (docs/findings/image-decoders.md)."""
AGREEMENT = 0.98
"""Share of labels that must be the oracle's or near it where the decoder is another one."""
CONFIDENCE = 0.05
"""How far confidences may be from the oracle's on average where the decoder is another one."""
CONFIDENCE_EXACT = 1e-4
"""How far each confidence may be from the oracle's where the pixels are equal."""

_NEAR_FIELD = pa.field("near", pa.list_(pa.string()))


class ImagePredictions(ImageWorkload):
    """See the module."""

    facts: ClassVar[WorkloadFacts] = workload_facts(__name__)

    def schema(self, dimension: int | None = None) -> pa.Schema:
        """The predictions' columns; `confidence` is the softmax probability of `label`."""
        return pa.schema(
            [
                pa.field("image_url", pa.string(), nullable=False),
                pa.field("label", pa.string(), nullable=False),
                pa.field("confidence", pa.float32(), nullable=False),
            ]
        )

    def exact_columns(self, inputs: Inputs) -> tuple[str, ...]:
        """The images; decoders may differ about labels."""
        return ("image_url",)

    def tolerances(self, inputs: Inputs) -> dict[str, float]:
        """`labels`: least share that agrees; `confidence`: largest (exact) or mean difference."""
        if is_exact(inputs):
            return {"labels": 1.0, "confidence": CONFIDENCE_EXACT}
        return {"labels": AGREEMENT, "confidence": CONFIDENCE}

    def answer(self, session: ModelSession, pixels: np.ndarray) -> list[pa.Array]:
        """Label and confidence of each image."""
        return _columns(*session.classify(pixels))

    def oracle_schema(self, dimension: int | None = None) -> pa.Schema:
        """With the column `near`: the other labels that the oracle finds nearly as likely."""
        return super().oracle_schema(dimension).append(_NEAR_FIELD)

    def oracle_answer(self, model: OracleModel, file: bytes | None) -> dict[str, Any]:
        """The first choice, its softmax probability, and the other labels that are as good."""
        logits = model.logits(file)
        shares = np.exp(logits - logits.max())
        best = int(shares.argmax())
        near = [model.labels[at] for at in np.flatnonzero(shares >= NEAR) if at != best]
        return {"label": model.labels[best], "confidence": 1 / shares.sum(), "near": near}

    def compare(self, ours: pa.Table, right: pa.Table, inputs: Inputs) -> Verdict:
        """Labels by agreement, confidences by their distance."""
        limits, exact = self.tolerances(inputs), is_exact(inputs)
        names, given = right.column("image_url").to_pylist(), ours.column("label").to_pylist()
        expected, near = right.column("label").to_pylist(), right.column("near").to_pylist()
        differing = [at for at, name in enumerate(names) if given[at] != expected[at]]
        wrong_labels = [at for at in differing if exact or given[at] not in near[at]]
        off = relative_deviations(
            ours.column("confidence").combine_chunks(), right.column("confidence").combine_chunks()
        )
        agreement = 1.0 - len(wrong_labels) / len(names)
        wrong = []
        if agreement < limits["labels"] - 1e-12:
            wrong.append(
                f"{agreement:.1%} of the labels agree, not {limits['labels']:.0%} "
                f"(wrong: {examples([names[at] for at in wrong_labels])})"
            )
        distance = float(np.max(off)) if exact else float(np.mean(off))
        if not distance <= limits["confidence"]:
            kind = "largest" if exact else "mean"
            wrong.append(
                f"the {kind} difference of the confidences is {distance:.2g}, "
                f"above {limits['confidence']:.2g}"
            )
        return Verdict(
            verified=not wrong,
            deviations={"labels": len(wrong_labels), "confidence": worst(off)},
            agreement={"labels": 1.0 - len(differing) / len(names), "labelsOrNear": agreement},
            message="; ".join(wrong) + "." if wrong else "",
            disagreements={
                names[at]: f"{given[at]}, not {expected[at]}" for at in differing[:SHOWN]
            },
        )


def _columns(labels: list[str], confidences: np.ndarray) -> list[pa.Array]:
    return [pa.array(labels, pa.string()), pa.array(confidences, pa.float32())]


WORKLOAD = ImagePredictions()
