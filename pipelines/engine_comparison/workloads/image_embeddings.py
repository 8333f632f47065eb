"""image-embeddings: one vector for each image, from the layer before the model's classifier."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..describe import WorkloadFacts, workload_facts
from ..model.session import ModelSession
from ..verify import SHOWN, Verdict, cosines, examples, worst
from .base import Inputs
from .image_oracle import OracleModel
from .image_workload import ImageWorkload, is_exact

DEFAULT_DIMENSION = 1280
"""Length of the default model's pooled features."""
COSINE = 0.995
"""Least cosine with the oracle's vector, for all but `OUTLIERS` of the images, where the decoder is
another one. Of 1000 sample pictures that Daft decodes the least is 0.9977
(docs/findings/image-decoders.md)."""
OUTLIERS = 0.01
"""Share of the images, and one in any case, whose cosine may be below `COSINE`, so that one odd
picture does not refuse a right run."""
COSINE_FLOOR = 0.95
"""Least cosine for each image. Those of two photographs have 0.43 at most."""
EXACT = 1e-4
"""How far each number of a vector may be from the oracle's where the pixels are equal."""


class ImageEmbeddings(ImageWorkload):
    """See the module."""

    facts: ClassVar[WorkloadFacts] = workload_facts(__name__)

    def schema(self, dimension: int | None = None) -> pa.Schema:
        """The embeddings' columns."""
        vector = pa.list_(
            pa.field("item", pa.float32(), nullable=False), dimension or DEFAULT_DIMENSION
        )
        return pa.schema(
            [
                pa.field("image_url", pa.string(), nullable=False),
                pa.field("embedding", vector, nullable=False),
            ]
        )

    def exact_columns(self, inputs: Inputs) -> tuple[str, ...]:
        """The images."""
        return ("image_url",)

    def tolerances(self, inputs: Inputs) -> dict[str, float]:
        """`embedding`: the largest difference of a number; `cosine` and `floor`: see above."""
        if is_exact(inputs):
            return {"embedding": EXACT}
        return {"cosine": COSINE, "floor": COSINE_FLOOR}

    def answer(self, session: ModelSession, pixels: np.ndarray) -> list[pa.Array]:
        """The vector of each image."""
        vectors = session.embed(pixels)
        kind = self.schema(session.dimension).field("embedding").type
        return [pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), type=kind)]

    def compare(self, ours: pa.Table, right: pa.Table, inputs: Inputs) -> Verdict:
        """Vectors by cosine, or number by number where the pixels are equal."""
        limits = self.tolerances(inputs)
        names = right.column("image_url").to_pylist()
        given, expected = vectors_of(ours), vectors_of(right)
        similar = cosines(given, expected)
        off = np.abs(given - expected).max(axis=1)
        off[~np.isfinite(off)] = np.inf
        if "cosine" in limits:
            outliers = int((similar < limits["cosine"]).sum())
            few = outliers <= max(1, int(OUTLIERS * len(names)))
            least = limits["floor" if few else "cosine"]
            beyond, limit = similar < least, f"a cosine below {least} with the oracle's"
        else:
            beyond = (off > limits["embedding"]) | (similar <= 0)
            limit = f"a number more than {limits['embedding']} from the oracle's"
        wrong = [name for name, bad in zip(names, beyond, strict=True) if bad]
        message = f"{len(wrong)} embeddings have {limit}: {examples(wrong)}." if wrong else ""
        return Verdict(
            verified=not wrong,
            deviations={"embedding": worst(off)},
            agreement={"leastCosine": float(similar.min()), "meanCosine": float(similar.mean())},
            message=message,
            # Of answers that are not exact, none is equal: those that are farthest off.
            disagreements={
                names[at]: f"cosine {similar[at]:.5f}"
                for at in np.argsort(similar)[:SHOWN]
                if "cosine" in limits or beyond[at]
            },
        )

    def oracle_schema(self, dimension: int | None = None) -> pa.Schema:
        """With plain lists: rejected images have null here.

        pyarrow cannot read nulls among fixed-size lists back from Parquet, see
        https://github.com/apache/arrow/issues/35692.
        """
        schema = super().oracle_schema(dimension)
        at = schema.get_field_index("embedding")
        return schema.set(at, pa.field("embedding", pa.list_(pa.float32())))

    def oracle_answer(self, model: OracleModel, file: bytes | None) -> dict[str, Any]:
        """The vector."""
        return {"embedding": model.vector(file)}

    def dimension_of(self, table: pa.Table) -> int | None:
        """The length of the embeddings in an oracle's table; None if there are none."""
        length = pc.max(pc.list_value_length(table.column("embedding"))).as_py()
        return None if length is None else int(length)


def vectors_of(table: pa.Table) -> np.ndarray:
    """The embeddings of a table, none of them null and all of one length, float32 [n, d]."""
    column = table.column("embedding").combine_chunks()
    values: np.ndarray = column.flatten().to_numpy(zero_copy_only=False)
    return values.reshape(len(column), -1)


WORKLOAD = ImageEmbeddings()
