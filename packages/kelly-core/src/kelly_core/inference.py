"""Inference for users: `create_engine_by_name(name)`, then `load()`, `infer(inputs)`, `get_top_k(k)`."""

from kelly_core.infer.embedding import FileEmbedding
from kelly_core.infer.engine import Engine, create_engine_by_name
from kelly_core.infer.result import FilePrediction, InferenceResult, Span, TopK, softmax

__all__ = [
    "Engine",
    "FileEmbedding",
    "FilePrediction",
    "InferenceResult",
    "Span",
    "TopK",
    "create_engine_by_name",
    "softmax",
]
