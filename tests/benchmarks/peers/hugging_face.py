"""GPT-2 of Hugging Face transformers, in the shape of the small GPT."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from seqlab.data.batch import Batch


class GPT2(nn.Module):
    """`GPT2LMHeadModel` with as many layers, heads, channels and positions."""

    def __init__(self, size: int, width: int, heads: int, layers: int, block: int) -> None:
        super().__init__()
        from transformers import GPT2Config, GPT2LMHeadModel

        config = GPT2Config(
            vocab_size=size,
            n_positions=block,
            n_embd=width,
            n_layer=layers,
            n_head=heads,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=None,
        )
        self.model: Any = GPT2LMHeadModel(config)

    def loss(self, batch: Batch) -> Tensor:
        """The mean cross-entropy a token. (It shifts the labels itself.)"""
        told = batch.target[:, :-1]
        return self.model(input_ids=told, labels=told, use_cache=False).loss

    def continued(self, tokens: Tensor, count: int) -> Tensor:
        """`tokens` (B, T) and so many more, drawn one by one, keys and values kept."""
        return self.model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=count,
            min_new_tokens=count,
            do_sample=True,
            top_k=0,
            use_cache=True,
            pad_token_id=0,
        )
