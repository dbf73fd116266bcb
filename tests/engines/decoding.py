"""Decodes with the real llama.cpp, as a process of its own: `python -m tests.engines.decoding FILE …`.

One line of JSON for each file. Kernels that want the weights in a layout of their own are left out: they need more of
the processor than every machine gives, and these tests are about the files.
"""

from __future__ import annotations

import ctypes
import json
import sys
from typing import Any

import llama_cpp.llama_cpp as native
import numpy as np


def decode(path: str) -> dict[str, Any]:
    """Load the file, decode 8 tokens and then 32 more, and tell what came out."""
    parameters = native.llama_model_default_params()
    parameters.use_extra_bufts = False
    parameters.n_gpu_layers = 0
    model = native.llama_model_load_from_file(path.encode(), parameters)
    if not model:
        return {"path": path, "loaded": False}
    settings = native.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch = 64, 1, 1
    context = native.llama_init_from_model(model, settings)
    tokens = native.llama_vocab_n_tokens(native.llama_model_get_vocab(model))
    finite, codes, saved = True, [], []
    for start, count in ((1, 6), (7, 1), (8, 1), (9, 32)):
        batch = (native.llama_token * count)(*range(start, start + count))  # kept alive until it is decoded
        codes.append(native.llama_decode(context, native.llama_batch_get_one(batch, count)))
        logits = np.ctypeslib.as_array(native.llama_get_logits_ith(context, -1), shape=(tokens,))
        saved.append(int(native.llama_state_seq_get_size(context, 0)))
        finite = finite and bool(np.isfinite(logits).all()) and float(logits.std()) > 0
    answer = {
        "path": path,
        "loaded": True,
        "codes": codes,
        "finite": finite,
        "saved": saved[-2:],
        "tokens": tokens,
        "parameters": native.llama_model_n_params(model),
        "logits": [round(float(value), 5) for value in logits[:4]],
    }
    native.llama_free(context)
    native.llama_model_free(model)
    return answer


@native.llama_log_callback  # type: ignore[untyped-decorator]
def _quiet(_level: int, _text: bytes, _data: object) -> None:
    """The engine's log is of no use here."""


def main(paths: list[str]) -> None:
    """Decode with every file."""
    native.llama_log_set(_quiet, ctypes.c_void_p(0))
    native.llama_backend_init()
    for path in paths:
        sys.stdout.write(json.dumps(decode(path)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
