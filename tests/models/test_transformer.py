"""The Transformer against torch's own, the decoder-only one against GPT-2, with the same weights."""

import pytest
import torch
from torch import nn

from seqlab.models.gpt import GPT
from seqlab.models.transformer import Transformer
from seqlab.special_tokens import BOS

V, W, D, H, INNER = 13, 17, 12, 3, 11
SOURCE = torch.tensor([[4, 5, 6, 12], [7, 8, 0, 0]])
LENGTHS = torch.tensor([4, 2])
TARGET = torch.tensor([[BOS, 5, 6, 7, 8], [BOS, 9, 4, 4, 16]])
EXACT = {"rtol": 0, "atol": 1e-10}


@pytest.fixture(autouse=True)
def double_precision():
    """Positions are computed in the default precision."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def random_(model):
    torch.manual_seed(7)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.uniform_(-0.8, 0.8)
    return model.eval()


def torchs_block(block, kind, activation, norm):
    """torch's layer with the weights of our layer."""
    theirs = kind(D, H, INNER, dropout=0.0, activation=activation, batch_first=True, norm_first=norm == "pre")
    parts = [(block.self_attention, theirs.self_attn, block.self_residual, theirs.norm1)]
    last = theirs.norm2
    if block.memory_attention is not None:
        parts.append((block.memory_attention, theirs.multihead_attn, block.memory_residual, theirs.norm2))
        last = theirs.norm3
    for own, attention, residual, layer_norm in parts:
        attention.in_proj_weight, attention.in_proj_bias = own.inputs.weight, own.inputs.bias
        attention.out_proj.weight, attention.out_proj.bias = own.output.weight, own.output.bias
        layer_norm.load_state_dict(norm_of(residual, norm).state_dict())
    last.load_state_dict(norm_of(block.feed_forward_residual, norm).state_dict())
    theirs.linear1.load_state_dict(block.feed_forward.inner.state_dict())
    theirs.linear2.load_state_dict(block.feed_forward.outer.state_dict())
    return theirs.eval()


def norm_of(residual, norm):
    return residual.inner_norm if norm == "pre" else residual.outer_norm


@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("norm", ["pre", "post"])
def test_transformer_equals_torchs(norm, activation):
    model = random_(
        Transformer(V, W, D, H, layers=2, feed_forward=INNER, activation=activation, norm=norm, dropout=0.0)
    )
    padding = torch.arange(SOURCE.size(1)) >= LENGTHS[:, None]
    steps = TARGET.size(1)
    later = torch.ones(steps, steps, dtype=torch.bool).triu(1)
    hidden = model.source_input(SOURCE, torch.arange(SOURCE.size(1)))
    for block in model.encoder.blocks:
        hidden = torchs_block(block, nn.TransformerEncoderLayer, activation, norm)(hidden, src_key_padding_mask=padding)
    memory = hidden if norm == "post" else model.encoder.norm(hidden)
    hidden = model.target_input(TARGET, torch.arange(steps))
    for block in model.decoder.blocks:
        layer = torchs_block(block, nn.TransformerDecoderLayer, activation, norm)
        hidden = layer(hidden, memory, tgt_mask=later, memory_key_padding_mask=padding)
    expected = model.output(hidden if norm == "post" else model.decoder.norm(hidden))
    torch.testing.assert_close(model(SOURCE, LENGTHS, TARGET), expected, **EXACT)


def gpt2_like(model):
    """Hugging Face's GPT-2 with the weights of ours; its linear layers store them transposed."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=W,
        n_embd=D,
        n_head=H,
        n_layer=2,
        n_positions=16,
        n_inner=INNER,
        activation_function="gelu",
        bos_token_id=BOS,
        eos_token_id=BOS + 1,
    )
    theirs = GPT2LMHeadModel(config).double().eval()
    with torch.no_grad():
        theirs.transformer.wte.weight.copy_(model.target_input.tokens.table.weight)
        theirs.transformer.wpe.weight.copy_(model.target_input.positions.table.weight)
        theirs.transformer.ln_f.load_state_dict(model.stack.norm.state_dict())
        for own, block in zip(model.stack.blocks, theirs.transformer.h, strict=True):
            block.ln_1.load_state_dict(own.self_residual.inner_norm.state_dict())
            block.ln_2.load_state_dict(own.feed_forward_residual.inner_norm.state_dict())
            for linear, other in (
                (own.self_attention.inputs, block.attn.c_attn),
                (own.self_attention.output, block.attn.c_proj),
                (own.feed_forward.inner, block.mlp.c_fc),
                (own.feed_forward.outer, block.mlp.c_proj),
            ):
                other.weight.copy_(linear.weight.T)
                other.bias.copy_(linear.bias)
    return theirs


@pytest.fixture(scope="module")
def pair():
    """Ours and Hugging Face's, one embedding for source and target, and no bias where GPT-2 has none."""
    torch.set_default_dtype(torch.float64)
    model = random_(GPT(W, W, D, H, layers=2, feed_forward=INNER, max_positions=16, shared=True, dropout=0.0))
    nn.init.zeros_(model.output.bias)
    return model, gpt2_like(model)


def test_gpt_equals_gpt2_on_source_and_target_together(pair):
    model, theirs = pair
    logits = model(SOURCE, LENGTHS, TARGET)
    for row in range(2):
        source = SOURCE[row, : LENGTHS[row]]
        expected = theirs(torch.cat([source, TARGET[row]])[None]).logits[0, len(source) :]
        torch.testing.assert_close(logits[row], expected, **EXACT)


def test_with_an_empty_source_gpt_is_a_plain_language_model(pair):
    model, theirs = pair
    expected = theirs(TARGET).logits
    for source in (SOURCE[:, :0], torch.zeros(2, 1, dtype=torch.long)):
        torch.testing.assert_close(model(source, torch.zeros(2, dtype=torch.long), TARGET), expected, **EXACT)


def test_an_empty_source_beside_others_changes_nothing(pair):
    model, _ = pair
    mixed = model(SOURCE, torch.tensor([4, 0]), TARGET)
    alone = model(SOURCE[:, :0], torch.zeros(2, dtype=torch.long), TARGET)
    torch.testing.assert_close(mixed[1], alone[1], **EXACT)
    assert not torch.allclose(mixed[0], alone[0])


@pytest.mark.parametrize("kind", [Transformer, GPT])
def test_tied_and_shared_tables_are_the_same_object(kind):
    plain, tied, shared = (
        kind(W, W, D, H, **settings) for settings in ({"tied": False}, {}, {"tied": True, "shared": True})
    )
    tables = {"plain": plain, "tied": tied, "shared": shared}
    counts = {name: sum(p.numel() for p in model.parameters()) for name, model in tables.items()}
    assert counts["plain"] - counts["tied"] == counts["tied"] - counts["shared"] == W * D
    assert shared.output.weight is shared.target_input.tokens.table.weight is shared.source_input.tokens.table.weight
    with pytest.raises(ValueError, match=r"shared needs one vocabulary \(data.shared_vocabulary=true\), but sizes are"):
        kind(V, W, D, H, shared=True)


def test_without_sources_gpt_has_one_embedding_whatever_sources_would_be():
    model = GPT(V, W, D, H, sources=False)
    assert model.source_input.tokens is model.target_input.tokens
    assert model.target_input.tokens.table.weight.shape == (W, D)


def test_gpts_residual_branches_start_smaller_in_deeper_models():
    torch.manual_seed(0)
    model = GPT(V, W, width=96, heads=3, layers=8)
    for block in model.stack.blocks:
        assert block.self_attention.inputs.weight.std().item() == pytest.approx(0.02, rel=0.05)
        for last in (block.self_attention.output, block.feed_forward.outer):
            assert last.weight.std().item() == pytest.approx(0.02 / 4, rel=0.05)  # √(2 · 8)
    assert model.output.weight[0].abs().sum() == 0  # PAD's row of the shared table


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_the_transformer_distinguishes_the_order_of_its_source(positions):
    """Without positions a source would be a set of tokens."""
    model = random_(Transformer(V, W, D, H, layers=1, feed_forward=INNER, positions=positions, dropout=0.0))
    there, back = (model(order, LENGTHS[:1], TARGET[:1]) for order in (SOURCE[:1], SOURCE[:1].flip(1)))
    assert (there - back).abs().max() > 1e-3


@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "rotary"])
def test_gpt_distinguishes_the_order_of_earlier_tokens(positions):
    """One layer without positions would treat earlier tokens as a set."""
    model = random_(GPT(W, W, D, H, layers=1, feed_forward=INNER, positions=positions, max_positions=16, dropout=0.0))
    there, back = (model(order, LENGTHS[:1], TARGET[:1]) for order in (SOURCE[:1], SOURCE[:1].flip(1)))
    assert (there - back).abs().max() > 1e-3


@pytest.mark.parametrize("mixer", ["min_gru", "gated_linear"])
def test_without_attention_there_are_no_queries_to_normalise(mixer):
    with pytest.raises(ValueError, match=f"normalised is for .* attention, which mixer={mixer} replaces"):
        GPT(W, W, D, H, mixer=mixer, normalised=True)
    assert not GPT(W, W, D, H, mixer=mixer).attends
    assert Transformer(W, W, D, 2, mixer=mixer, normalised=True).attends  # to the source
