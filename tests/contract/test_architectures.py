"""What every architecture must do, whatever is inside it."""

import itertools

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from support import ROOT
from torch.nn import functional as F

from seqlab.config.component import Component
from seqlab.config.data_and_model import build_model
from seqlab.data.batch import Batch
from seqlab.decoding import Beam, Greedy, Sample
from seqlab.errors import InputError
from seqlab.inference import bundle
from seqlab.layers.attention import padding_mask
from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.metrics.teacher_forced import token_loss
from seqlab.models.base import Seq2Seq
from seqlab.models.objective import sampled_logits
from seqlab.models.training_module import trainable
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.text.tokenizers import CharacterTokenizer

TOLERANCE = {"rtol": 0, "atol": 1e-10}


def test_the_contract_holds_for_every_architecture(architectures):
    configs = {path.stem for path in (ROOT / "conf/model").glob("*.yaml")}
    assert configs == {name.split("-")[0] for name in architectures}


def logits_of(model, batch):
    return model(batch.source, batch.source_lengths, batch.target[:, :-1])


def real(batch):
    return batch.target[:, 1:] != PAD


def test_one_step_lowers_the_loss_on_a_repeated_batch(model, batch):
    before = token_loss(logits_of(model, batch), batch.target[:, 1:])
    before.backward()
    norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])
    torch.optim.SGD(model.parameters(), lr=1e-6 / norm.item()).step()  # short enough for the slope to be what counts
    after = token_loss(logits_of(model, batch), batch.target[:, 1:])
    assert after < before
    assert (before - after).item() == pytest.approx(1e-6 * norm.item(), rel=0.05)


def test_gradients_reach_every_parameter(model, batch):
    token_loss(logits_of(model, batch), batch.target[:, 1:]).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_on_running_text_no_parameter_is_left_out(model_config, running_text):
    """Processes that train together wait for the gradient of every parameter."""
    model = build_model(Component.of(model_config, "model"), running_text)
    (batch, *_) = running_text.train_dataloader()
    assert not batch.source_lengths.any()
    token_loss(model(batch.source, batch.source_lengths, batch.decoder_input), batch.labels).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_extra_padding_leaves_logits_unchanged(model, batch):
    wider = batch._replace(source=F.pad(batch.source, (0, 3), value=PAD), target=F.pad(batch.target, (0, 2), value=PAD))
    together, padded = logits_of(model, batch), logits_of(model, wider)[:, : batch.target.size(1) - 1]
    torch.testing.assert_close(padded[real(batch)], together[real(batch)], **TOLERANCE)


def gradients_of(model, batch, inside):
    """Logits, and the gradients of their cross-entropy."""
    logits = model(batch.source, batch.source_lengths, batch.decoder_input, inside)
    model.zero_grad()
    token_loss(logits, batch.labels if inside is None else batch.labels[inside]).backward()
    return logits, [parameter.grad.clone() for parameter in model.parameters()]


def test_leaving_padding_out_leaves_logits_and_gradients_unchanged(model, batch, monkeypatch):
    wide = batch._replace(source=F.pad(batch.source, (0, 3), value=PAD), target=F.pad(batch.target, (0, 2), value=PAD))
    wide.target[1], wide.target_lengths[1] = PAD, 0  # a filler row
    inside = padding_mask(wide.target_lengths - 1, wide.decoder_input.size(1))
    packed, own = gradients_of(model, wide, inside)
    monkeypatch.setattr(Packing, "of", lambda real: EVERYWHERE)
    everything, expected = gradients_of(model, wide, None)
    torch.testing.assert_close(packed, everything[inside], **TOLERANCE)
    torch.testing.assert_close(own, expected, **TOLERANCE)


def test_a_row_alone_gives_its_logits_of_the_batch(model, examples, batch):
    together = logits_of(model, batch)
    for row in range(len(examples)):
        alone = logits_of(model, examples.batch(np.array([row])))
        torch.testing.assert_close(together[row, : alone.size(1)], alone[0], **TOLERANCE)


def test_a_later_target_leaves_earlier_logits_unchanged(model, batch):
    cut = 3
    changed = batch.target.clone()
    changed[:, cut:] = 5
    before, after = logits_of(model, batch), logits_of(model, batch._replace(target=changed))
    torch.testing.assert_close(after[:, :cut], before[:, :cut], **TOLERANCE)
    assert not torch.allclose(after[:, cut:], before[:, cut:])


def test_the_source_matters(model, batch):
    other = batch._replace(source=batch.source.flip(0), source_lengths=batch.source_lengths.flip(0))
    assert not torch.allclose(logits_of(model, other), logits_of(model, batch))


def test_stepwise_logits_equal_teacher_forced_logits(model, batch):
    state = model.encode(batch.source, batch.source_lengths)
    tokens = batch.target[:, :-1]
    together, _ = model.decode(tokens, state)
    steps = []
    for position in range(tokens.size(1)):
        logits, state = model.decode(tokens[:, position : position + 1], state)
        steps.append(logits)
    torch.testing.assert_close(torch.cat(steps, 1), together, **TOLERANCE)


def test_scheduled_sampling_that_tells_everything_is_teacher_forcing(model, batch):
    tokens = batch.target[:, :-1]
    sampled = sampled_logits(model.decode, model.encode(batch.source, batch.source_lengths), tokens, 1.0)
    torch.testing.assert_close(sampled, logits_of(model, batch), **TOLERANCE)
    own = sampled_logits(model.decode, model.encode(batch.source, batch.source_lengths), tokens, 0.0)
    assert not torch.allclose(own, sampled)


def test_decoding_goes_on_from_the_state_of_a_prefix(model, batch):
    tokens = batch.target[:, :-1]
    state = model.encode(batch.source, batch.source_lengths)
    together, _ = model.decode(tokens, state)
    _, middle = model.decode(tokens[:, :2], state)
    rest, _ = model.decode(tokens[:, 2:], middle)
    torch.testing.assert_close(rest, together[:, 2:], **TOLERANCE)


@torch.inference_mode()
def test_several_texts_go_on_from_one_state(model, batch):
    state = model.encode(batch.source, batch.source_lengths)
    tokens = batch.target[:, :5]
    _, trunk = model.decode(tokens[:, :1], state)
    _, trunk = model.decode(tokens[:, 1:2], trunk)
    for other in (7, 9):  # the second finds the state as the first did
        _, branch = model.decode(torch.full_like(tokens[:, :1], other), trunk)
        found, _ = model.decode(tokens[:, 3:4], branch)
        whole = torch.cat([tokens[:, :2], torch.full_like(tokens[:, :1], other), tokens[:, 3:4]], dim=1)
        expected = model(batch.source, batch.source_lengths, whole)[:, -1:]
        torch.testing.assert_close(found, expected, **TOLERANCE)
    kept, _ = model.decode(tokens[:, 2:], trunk)
    torch.testing.assert_close(kept, model(batch.source, batch.source_lengths, tokens)[:, 2:], **TOLERANCE)


def test_select_reorders_and_repeats_rows(model, batch):
    rows = torch.tensor([7, 2, 2, 0])
    _, state = model.decode(batch.target[:, :2], model.encode(batch.source, batch.source_lengths))
    all_rows, _ = model.decode(batch.target[:, 2:4], state)
    selected, _ = model.decode(batch.target[rows, 2:4], state.select(rows))
    torch.testing.assert_close(selected, all_rows[rows], **TOLERANCE)


def test_a_model_says_beforehand_which_lengths_are_too_long(model):
    """Learned positions: what `check_lengths` lets pass can be said, and one more is refused before the first step."""
    if model.max_positions is None:
        model.check_lengths(10**6, 10**6)
        return

    def say(source, length):
        return model.generate(torch.full((1, source), 5), torch.tensor([source]), Greedy(max_length=length))

    length = 1
    while model.positions_needed(3, length + 1) <= model.max_positions:
        length += 1
    assert say(3, length).scores.isfinite().all()
    with pytest.raises(InputError, match=r"positions, but model.max_positions is"):
        say(3, length + 1)


def test_an_empty_source_works_and_its_padding_does_not_matter(model, batch):
    lengths = batch.source_lengths.clone()
    lengths[:2] = 0
    source = torch.where(torch.arange(batch.source.size(1)) < lengths[:, None], batch.source, PAD)
    together = model(source, lengths, batch.target[:, :-1])
    assert together.isfinite().all()
    alone = model(source[:2, :1], lengths[:2], batch.target[:2, :-1])
    torch.testing.assert_close(alone, together[:2], **TOLERANCE)


@pytest.mark.parametrize(("source", "target"), [([9], [8]), ([9], [8, 7, 6]), ([9, 4, 5], [8])])
def test_batch_1_and_length_1_work(model, source, target):
    framed = torch.tensor([[BOS, *target, EOS]])
    lengths = torch.tensor([len(source)]), torch.tensor([framed.size(1)])
    batch = Batch(torch.tensor([source]), lengths[0], framed, lengths[1], torch.tensor([1]), torch.tensor([0]))
    logits = logits_of(model, batch)
    assert logits.shape == (1, len(target) + 1, model.target_size)
    assert logits.isfinite().all()


def rescored(model, batch, row, outputs, max_length):
    """Log-probabilities of outputs of one row by teacher forcing, with EOS where there is room for it."""
    framed = [[BOS, *tokens, EOS][: max_length + 1] for tokens in outputs]
    target = torch.tensor([ids + [PAD] * (max_length + 1 - len(ids)) for ids in framed])
    source = batch.source[row : row + 1, : batch.source_lengths[row]].expand(len(outputs), -1)
    lengths = batch.source_lengths[row : row + 1].expand(len(outputs))
    own = model(source, lengths, target[:, :-1]).log_softmax(-1).gather(-1, target[:, 1:, None]).squeeze(-1)
    return own.masked_fill(target[:, 1:] == PAD, 0.0).sum(1)


@pytest.mark.parametrize(
    "search",
    [
        Greedy(max_length=6),
        Beam(max_length=6, size=4, n_best=4, min_length=1, block_repeats=2),
        Beam(max_length=6, size=3, n_best=2, length_penalty=0.0),
        Sample(max_length=6, n_best=3, top_k=9, top_p=0.9, temperature=1.5),
    ],
    ids=["greedy", "beam", "beam without penalty", "sample"],
)
@torch.no_grad()
def test_scores_of_a_search_equal_those_of_teacher_forcing(model, batch, search):
    found = model.generate(batch.source, batch.source_lengths, search)
    for row in range(len(batch.rows)):
        pairs = zip(found.tokens[row].tolist(), found.lengths[row].tolist(), strict=True)
        own = rescored(model, batch, row, [tokens[:length] for tokens, length in pairs], 6)
        torch.testing.assert_close(found.scores[row], own, rtol=0, atol=1e-4)


def test_a_beam_of_one_and_a_choice_of_one_are_greedy(model, batch):
    greedy, *others = (
        model.generate(batch.source, batch.source_lengths, search)
        for search in (Greedy(max_length=6), Beam(max_length=6, size=1), Sample(max_length=6, top_k=1))
    )
    for found in others:
        assert all(torch.equal(*values) for values in zip(found, greedy, strict=True))


def test_a_prompt_is_gone_on_from(model, batch):
    search = Greedy(max_length=6, min_length=5)
    whole = model.generate(batch.source, batch.source_lengths, search).tokens[:, 0]
    prompt = torch.cat([torch.full((len(whole), 1), BOS), whole[:, :2]], dim=1)
    rest = model.generate(batch.source, batch.source_lengths, Greedy(max_length=4, min_length=3), prompt)
    assert torch.equal(rest.tokens[:, 0], whole[:, 2:])


def test_a_window_that_is_never_full_changes_nothing(model, batch):
    prompt = batch.target[:, :2]
    search = Sample(max_length=5, min_length=5, n_best=2)
    free, within = (model.generate(batch.source, batch.source_lengths, search, prompt, window) for window in (None, 6))
    assert all(torch.equal(*values) for values in zip(within, free, strict=True))


def reread(model, batch, row, text, given, window):
    """The log-probability of what follows the first `given` tokens of a text, all that is in the window read each time.

    Where it is full, half of it is kept; a model that does not count positions needs none.
    """
    source, lengths = batch.source[row : row + 1], batch.source_lengths[row : row + 1]
    start, score = max(0, given - window) if model.positional else 0, 0.0
    for end in range(given, len(text)):
        if model.positional and end - start > window:
            start = end - window // 2
        score += model(source, lengths, text[None, start:end])[0, -1].log_softmax(-1)[text[end]].item()
    return score


@pytest.mark.parametrize("given", [1, 7])
@torch.no_grad()
def test_text_longer_than_the_window_is_that_of_reading_all_anew(model, examples, given):
    batch = examples.batch(np.arange(2))
    prompt = torch.tensor([[BOS, 5, 9, 8, 7, 6, 11], [BOS, 12, 6, 8, 4, 7, 7]])[:, :given]
    search = Sample(max_length=8, min_length=8)
    found = model.generate(batch.source, batch.source_lengths, search, prompt, window=5)
    texts = torch.cat([prompt, found.tokens[:, 0]], dim=1)
    slowly = [reread(model, batch, row, text, given, window=5) for row, text in enumerate(texts)]
    assert found.scores[:, 0].tolist() == pytest.approx(slowly, abs=1e-5)  # searches sum in single precision


@torch.no_grad()
def test_a_beam_of_full_width_finds_the_best_of_all_outputs(model_config, batch):
    torch.manual_seed(6)
    model = Component.of(model_config, "model").build(source_size=int(batch.source.max()) + 1, target_size=7).eval()
    for parameter in model.parameters():
        parameter.uniform_(-0.7, 0.7)
    symbols = range(UNK, 7)
    every = [tokens for length in range(4) for tokens in itertools.product(symbols, repeat=length)]
    search = Beam(max_length=3, size=len(every), n_best=len(every))
    found = model.generate(batch.source, batch.source_lengths, search)
    said = torch.tensor([min(len(tokens) + 1, 3) for tokens in every])  # EOS counts
    penalty = ((5 + said) / 6) ** search.length_penalty
    for row in range(len(batch.rows)):
        scores = rescored(model, batch, row, every, 3)
        pairs = zip(found.tokens[row].tolist(), found.lengths[row].tolist(), strict=True)
        order = [every.index(tuple(tokens[:length])) for tokens, length in pairs]
        assert sorted(order) == list(range(len(every)))
        torch.testing.assert_close(found.scores[row], scores[order], rtol=0, atol=1e-5)
        ranks = scores / penalty
        torch.testing.assert_close(ranks[order], ranks.sort(descending=True).values, rtol=0, atol=1e-5)


def test_attention_maps_are_distributions_that_leave_padding_out(model, batch):
    tokens = batch.target[:, :-1]
    before = logits_of(model, batch)
    for name, weights in model.attention_maps(batch.source, batch.source_lengths, tokens).items():
        assert weights.shape[0] == len(batch.rows), name
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), msg=name)
        if weights.size(-1) == batch.source.size(1) and weights.size(-2) == tokens.size(1):
            padding = torch.arange(weights.size(-1)) >= batch.source_lengths[:, None]
            assert (weights * padding[:, None, None]).abs().max() == 0, name
    assert torch.equal(logits_of(model, batch), before)


def test_the_same_seed_builds_the_same_model(model_config):
    def weights():
        torch.manual_seed(11)
        return Component.of(model_config, "model").build(source_size=5, target_size=7).state_dict()

    first, second = weights(), weights()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_bundle_gives_the_same_model_back(model, model_config, batch, tmp_path):
    sizes = {"source_size": model.source_size, "target_size": model.target_size}
    alphabets = [CharacterTokenizer([chr(97 + i) for i in range(size - 4)]) for size in sizes.values()]
    settings = {name: value for name, value in model_config.items() if name != "_target_"} | sizes
    bundle.save(tmp_path / "bundle", model, settings, tuple(alphabets), Greedy(max_length=7))
    loaded = bundle.load(tmp_path / "bundle").model
    assert torch.equal(logits_of(loaded, batch), logits_of(model, batch))


def test_a_checkpoint_gives_the_same_model_back(model, model_config, batch, tmp_path):
    trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
    sizes = {"source_size": model.source_size, "target_size": model.target_size}
    trained = Component.of(model_config, "model").build(Seq2Seq, trainable, **sizes)
    trained.load_state_dict(model.state_dict())
    trainer.strategy.connect(trained)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    other = Component.of(model_config, "model").build(**sizes).eval()
    assert not torch.allclose(logits_of(other, batch), logits_of(model, batch))
    other.load_state_dict(torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"])
    assert torch.equal(logits_of(other, batch), logits_of(model, batch))
