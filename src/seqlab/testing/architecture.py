"""What every architecture must do, whatever is inside it, as tests to subclass.

B batch, S source length, T decoder input length, V target vocabulary.
"""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from seqlab.data.batch import Batch, Examples
from seqlab.decoding import Beam, Greedy, Sample, Search
from seqlab.errors import InputError
from seqlab.layers.attention import padding_mask
from seqlab.layers.packing import EVERYWHERE, Packing
from seqlab.layers.state import State
from seqlab.models.base import Seq2Seq
from seqlab.models.objective import sampled_logits
from seqlab.special_tokens import BOS, EOS, PAD, UNK
from seqlab.testing.slow_references import (
    assert_equal,
    logits_and_gradients,
    logits_of,
    loss_of,
    random_examples,
    reread_scores,
    teacher_forced_scores,
    tensors_of,
    training_without_dropout,
    widened,
    with_random_weights,
)


class ArchitectureContract(ABC):
    """Tests of an architecture. A subclass says how to build one, and is named Test… so that pytest finds it:

        class TestBagOfSymbols(ArchitectureContract):
            def build(self, source_size, target_size):
                return BagOfSymbols(source_size, target_size, width=13)

    A check that fails says what may be wrong; where several do, the first says it best. A small model will do: the
    tests take seconds. Where it has learned positions, give it 24 or more of them.

    All runs in double precision, so that equal means equal to ten digits. A dtype error here means that the model
    casts to single precision by itself: `mask.to(hidden.dtype)` in place of `mask.float()` helps, and lets it train
    in half precision, too. Weights are drawn anew, uniformly from −0.7 to 0.7; a model that cannot do with such weights
    overrides the fixture `model`.

    Attributes:
        source_size, target_size: the vocabularies, 8 ids or more each; a model that shares embeddings between source
            and target sets both to the same number.
    """

    source_size = 17
    target_size = 19

    @abstractmethod
    def build(self, source_size: int, target_size: int) -> Seq2Seq:
        """A new model for vocabularies of these sizes, with weights as its constructor draws them."""

    @pytest.fixture(autouse=True)
    def _double_precision_on_one_thread(self) -> Iterator[None]:
        dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(1)  # models are small: where something else is busy, more only wait for each other
        yield
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)

    @pytest.fixture
    def model(self) -> Seq2Seq:
        """The model in evaluation mode, with random weights."""
        torch.manual_seed(5)
        return with_random_weights(self.build(self.source_size, self.target_size))

    @pytest.fixture
    def examples(self) -> Examples:
        """Random pairs of different lengths."""
        return random_examples(self.source_size, self.target_size)

    @pytest.fixture
    def batch(self, examples: Examples) -> Batch:
        """All of them in one batch."""
        return examples.batch(np.arange(len(examples)))

    # What the two methods give ----------------------------------------------------------------------------

    def test_encode_gives_a_state_and_decode_gives_logits(self, model: Seq2Seq, batch: Batch) -> None:
        state = model.encode(batch.source, batch.source_lengths)
        assert isinstance(state, State), f"encode must return a subclass of State, but returned {type(state).__name__}"
        logits, after = model.decode(batch.decoder_input, state)
        assert isinstance(after, State), f"decode must return (logits, State), but the second is {type(after).__name__}"
        for name, tensor in [*tensors_of(state), *tensors_of(after)]:
            assert tensor.shape[:1] == batch.rows.shape, (
                f"tensors of a state must be batch-first, B = {len(batch.rows)} here, but the shape of {name} is"
                f" {tuple(tensor.shape)} (that of nn.GRU's hidden state is (layers, B, D): transpose it)"
            )
        expected = (*batch.decoder_input.shape, self.target_size)
        assert logits.shape == expected, f"logits must be (B, T, V) = {expected}, but are {tuple(logits.shape)}"

    @pytest.mark.parametrize(("source", "target"), [([9], [6]), ([9], [6, 5, 4]), ([9, 4, 5], [6])])
    def test_batch_1_and_length_1_work(self, model: Seq2Seq, source: list[int], target: list[int]) -> None:
        framed = torch.tensor([[BOS, *target, EOS]])
        sources = torch.tensor([source]).clamp(max=self.source_size - 1)
        lengths = torch.tensor([len(source)]), torch.tensor([framed.size(1)])
        logits = logits_of(model, Batch(sources, lengths[0], framed, lengths[1], torch.tensor([1]), torch.tensor([0])))
        expected = (1, len(target) + 1, self.target_size)
        assert logits.shape == expected, f"logits must be {expected} even here, but are {tuple(logits.shape)}"
        assert logits.isfinite().all(), "logits are not finite: is something divided by a length less 1?"

    def test_an_empty_source_works_and_its_padding_does_not_matter(self, model: Seq2Seq, batch: Batch) -> None:
        """Blocks of running text come without a source: its length is 0, and its one position is padding."""
        lengths = batch.source_lengths.clone()
        lengths[:2] = 0
        source = batch.source.where(torch.arange(batch.source.size(1)) < lengths[:, None], torch.tensor(PAD))
        together = model(source, lengths, batch.decoder_input)
        assert together[2:].isfinite().all(), "an empty source spoils the logits of the other rows"
        assert together.isfinite().all(), (
            "logits of an empty source are not finite: is something divided by its length, 0, or normalised over no"
            " position at all? source_lengths.clamp(min=1) may help"
        )
        alone = model(source[:2, :1], lengths[:2], batch.decoder_input[:2])
        assert_equal(alone, together[:2], "padding of an empty source changes the logits: encode must not look at it")

    # Nothing but a row's own tokens counts ----------------------------------------------------------------

    def test_extra_padding_leaves_logits_unchanged(self, model: Seq2Seq, batch: Batch) -> None:
        real = batch.labels != PAD
        together = logits_of(model, batch)[real]
        more_of_source = batch._replace(source=widened(batch).source)
        assert_equal(
            logits_of(model, more_of_source)[real],
            together,
            "padding of the source changes the logits: encode and attention must leave out positions from"
            " source_lengths on (padding_mask(source_lengths, source.size(1)) tells which are real)",
        )
        padded = logits_of(model, widened(batch))[:, : real.size(1)]
        assert_equal(padded[real], together, "padding on the right of the decoder input changes logits before it")

    def test_a_row_alone_gives_its_logits_of_the_batch(self, model: Seq2Seq, examples: Examples, batch: Batch) -> None:
        together = logits_of(model, batch)
        for row in range(len(examples)):
            alone = logits_of(model, examples.batch(np.array([row])))
            why = f"row {row} alone has other logits than in the batch: padding or other rows have an effect on it"
            assert_equal(together[row, : alone.size(1)], alone[0], why)

    def test_in_training_too_only_a_rows_own_tokens_count(
        self, model: Seq2Seq, examples: Examples, batch: Batch
    ) -> None:
        """Statistics over a batch, as of nn.BatchNorm1d, take in padding and other rows, and only in training."""
        training_without_dropout(model)
        together, real = logits_of(model, batch), batch.labels != PAD
        if not torch.equal(logits_of(model, batch), together):
            pytest.skip("in training the model draws random numbers by other means than dropout of torch's modules")
        why = "in training {} an effect on logits: are statistics taken over a batch? LayerNorm takes a token's own"
        padded = logits_of(model, widened(batch))[:, : real.size(1)]
        assert_equal(padded[real], together[real], why.format("padding has"))
        alone = logits_of(model, examples.batch(np.array([0])))[0]
        assert_equal(alone, together[0, : len(alone)], why.format("other rows have"))

    def test_a_later_target_leaves_earlier_logits_unchanged(self, model: Seq2Seq, batch: Batch) -> None:
        cut = 3
        changed = batch.target.clone()
        changed[:, cut:] = 5
        before, after = logits_of(model, batch), logits_of(model, batch._replace(target=changed))
        why = "logits depend on later tokens: the decoder looks ahead (is its attention masked? is it bidirectional?)"
        assert_equal(after[:, :cut], before[:, :cut], why)
        assert not torch.allclose(after[:, cut:], before[:, cut:]), "decode takes no notice of its tokens"

    def test_the_source_matters(self, model: Seq2Seq, batch: Batch) -> None:
        other = batch._replace(source=batch.source.flip(0), source_lengths=batch.source_lengths.flip(0))
        unchanged = torch.allclose(logits_of(model, other), logits_of(model, batch))
        assert not unchanged, "another source gives the same logits: does decode use the state that encode returns?"

    def test_the_same_input_gives_the_same_logits(self, model: Seq2Seq, batch: Batch) -> None:
        same = torch.equal(logits_of(model, batch), logits_of(model, batch))
        assert same, (
            "the same input gives different logits after eval(): is dropout always on (F.dropout without"
            " training=self.training), or is something kept from call to call?"
        )

    # Step by step is the same as all at once --------------------------------------------------------------

    def test_stepwise_logits_equal_teacher_forced_logits(self, model: Seq2Seq, batch: Batch) -> None:
        state = model.encode(batch.source, batch.source_lengths)
        together, _ = model.decode(batch.decoder_input, state)
        steps = []
        for tokens in batch.decoder_input.split(1, dim=1):
            logits, state = model.decode(tokens, state)
            steps.append(logits)
        why = (
            "decoding one token at a time gives other logits than decoding all at once: decode must begin from the"
            " state it is given, and return the state after its last token"
        )
        assert_equal(torch.cat(steps, 1), together, why)

    def test_decoding_goes_on_from_the_state_of_a_prefix(self, model: Seq2Seq, batch: Batch) -> None:
        tokens = batch.decoder_input
        state = model.encode(batch.source, batch.source_lengths)
        together, _ = model.decode(tokens, state)
        _, middle = model.decode(tokens[:, :2], state)
        rest, _ = model.decode(tokens[:, 2:], middle)
        why = "after the state of two tokens the rest has other logits than when all are decoded at once"
        assert_equal(rest, together[:, 2:], why)

    @torch.inference_mode()
    def test_several_texts_go_on_from_one_state(self, model: Seq2Seq, batch: Batch) -> None:
        why = (
            "decoding on from a state changed that state, so that a second text going on from it differs: decode must"
            " return a new state, change no tensor of the old one in place, and keep nothing on the module"
        )
        state = model.encode(batch.source, batch.source_lengths)
        tokens = batch.decoder_input[:, :5]
        _, trunk = model.decode(tokens[:, :1], state)
        _, trunk = model.decode(tokens[:, 1:2], trunk)
        for other in (7, 5):  # the second finds the state as the first did
            branching = torch.full_like(tokens[:, :1], other)
            _, branch = model.decode(branching, trunk)
            found, _ = model.decode(tokens[:, 3:4], branch)
            whole = torch.cat([tokens[:, :2], branching, tokens[:, 3:4]], dim=1)
            assert_equal(found, model(batch.source, batch.source_lengths, whole)[:, -1:], why)
        kept, _ = model.decode(tokens[:, 2:], trunk)
        assert_equal(kept, model(batch.source, batch.source_lengths, tokens)[:, 2:], why)

    def test_select_reorders_and_repeats_rows(self, model: Seq2Seq, batch: Batch) -> None:
        rows = torch.tensor([7, 2, 2, 0])
        _, state = model.decode(batch.target[:, :2], model.encode(batch.source, batch.source_lengths))
        all_rows, _ = model.decode(batch.target[:, 2:4], state)
        selected, _ = model.decode(batch.target[rows, 2:4], state.select(rows))
        why = (
            "rows chosen from a state go on differently than in the whole batch: all that decode carries from token to"
            " token must be in fields of the state, batch-first, and nothing on the module"
        )
        assert_equal(selected, all_rows[rows], why)

    # Training ---------------------------------------------------------------------------------------------

    def test_gradients_reach_every_parameter(self, model: Seq2Seq, batch: Batch) -> None:
        loss_of(logits_of(model, batch), batch.labels).backward()
        idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
        assert idle == [], f"no gradient reaches {', '.join(idle)}: unused in encode and decode, or detached"

    def test_one_step_lowers_the_loss_on_a_repeated_batch(self, model: Seq2Seq, batch: Batch) -> None:
        before = loss_of(logits_of(model, batch), batch.labels)
        before.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None]).item()
        torch.optim.SGD(model.parameters(), lr=1e-6 / norm).step()  # short enough for the slope to be what counts
        after = loss_of(logits_of(model, batch), batch.labels)
        assert after < before, "a step against the gradient does not lower the loss: are gradients right?"
        why = "a short step lowers the loss by another amount than the gradient says: is part of the model detached?"
        assert (before - after).item() == pytest.approx(1e-6 * norm, rel=0.05), why

    def test_leaving_padding_out_leaves_logits_and_gradients_unchanged(
        self, model: Seq2Seq, batch: Batch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In training `decode` may give the logits of real positions alone, (N, V), and does where it packs."""
        wide = widened(batch)
        wide.target[1], wide.target_lengths[1] = PAD, 0  # a filler row
        real = padding_mask(wide.target_lengths - 1, wide.decoder_input.size(1))
        packed, packed_gradients = logits_and_gradients(model, wide, real)
        monkeypatch.setattr(Packing, "of", lambda real: EVERYWHERE)
        everything, gradients = logits_and_gradients(model, wide, None)
        why = "with padding left out {} differ: a decode that packs ends with self.output(state.packing.pack(outputs))"
        assert_equal(packed, everything[real], why.format("logits"))
        for (name, _), found, expected in zip(model.named_parameters(), packed_gradients, gradients, strict=True):
            assert_equal(found, expected, why.format(f"the gradients of {name}"))

    def test_scheduled_sampling_that_tells_everything_is_teacher_forcing(self, model: Seq2Seq, batch: Batch) -> None:
        def sampled(teacher_forcing: float) -> Tensor:
            state = model.encode(batch.source, batch.source_lengths)
            return sampled_logits(model.decode, state, batch.decoder_input, teacher_forcing)

        told = sampled(1.0)
        assert_equal(told, logits_of(model, batch), "scheduled sampling with teacher_forcing=1 is not teacher forcing")
        assert not torch.allclose(sampled(0.0), told), "which tokens the decoder is told makes no difference"

    # Building and keeping ---------------------------------------------------------------------------------

    def test_the_same_seed_builds_the_same_model(self) -> None:
        def weights() -> dict[str, Tensor]:
            torch.manual_seed(11)
            return self.build(self.source_size, self.target_size).state_dict()

        first, second = weights(), weights()
        differing = [name for name in first if not torch.equal(first[name], second[name])]
        assert differing == [], "after torch.manual_seed the weights differ: draw them with torch's own generator"

    def test_a_state_dict_gives_the_same_model_back(self, model: Seq2Seq, batch: Batch) -> None:
        other = self.build(self.source_size, self.target_size).eval()
        unlike = not torch.allclose(logits_of(other, batch), logits_of(model, batch))
        assert unlike, "another model gives the same logits: they do not depend on its weights"
        other.load_state_dict(model.state_dict())
        same = torch.equal(logits_of(other, batch), logits_of(model, batch))
        assert same, (
            "a model with the same state_dict gives other logits: what it computes with must be a parameter or a"
            " buffer (register_buffer)"
        )

    def test_a_model_says_beforehand_which_lengths_are_too_long(self, model: Seq2Seq) -> None:
        """Learned positions: what `check_lengths` lets pass can be said, and one more is refused before any step."""
        if model.max_positions is None:
            model.check_lengths(10**6, 10**6)
            return

        def say(source: int, length: int) -> Tensor:
            search = Greedy(max_length=length)
            return model.generate(torch.full((1, source), 5), torch.tensor([source]), search).scores

        length = 1
        while model.positions_needed(3, length + 1) <= model.max_positions:
            length += 1
        assert say(3, length).isfinite().all(), f"an output of {length} tokens, which check_lengths lets pass, fails"
        with pytest.raises(InputError, match=r"positions, but model.max_positions is"):
            say(3, length + 1)

    # Searching --------------------------------------------------------------------------------------------

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
    def test_scores_of_a_search_equal_those_of_teacher_forcing(
        self, model: Seq2Seq, batch: Batch, search: Search
    ) -> None:
        found = model.generate(batch.source, batch.source_lengths, search)
        pairs = zip(found.tokens.flatten(0, 1).tolist(), found.lengths.flatten().tolist(), strict=True)
        rows = [row for row in range(len(batch.rows)) for _ in range(found.tokens.size(1))]
        scores = teacher_forced_scores(model, batch, rows, [tokens[:length] for tokens, length in pairs], 6)
        why = "what a search finds has another log-probability than teacher forcing gives it\n"
        torch.testing.assert_close(found.scores.flatten(), scores, rtol=0, atol=1e-4, msg=why.__add__)

    def test_a_beam_of_one_and_a_choice_of_one_are_greedy(self, model: Seq2Seq, batch: Batch) -> None:
        greedy, *others = (
            model.generate(batch.source, batch.source_lengths, search)
            for search in (Greedy(max_length=6), Beam(max_length=6, size=1), Sample(max_length=6, top_k=1))
        )
        for found in others:
            same = all(torch.equal(*values) for values in zip(found, greedy, strict=True))
            assert same, "a beam of one hypothesis, or sampling from one token, gives another output than greedy search"

    @torch.no_grad()
    def test_a_beam_of_full_width_finds_the_best_of_all_outputs(self) -> None:
        torch.manual_seed(6)
        size = 7
        model = with_random_weights(self.build(size, size))
        examples = random_examples(size, size)
        batch = examples.batch(np.array([0, 1, len(examples) - 2]))  # the last source is a single token
        every = [tokens for length in range(4) for tokens in itertools.product(range(UNK, size), repeat=length)]
        search = Beam(max_length=3, size=len(every), n_best=len(every))
        found = model.generate(batch.source, batch.source_lengths, search)
        lengths = torch.tensor([min(len(tokens) + 1, 3) for tokens in every])  # EOS counts
        penalty = ((5 + lengths) / 6) ** search.length_penalty
        for row in range(len(batch.rows)):
            scores = teacher_forced_scores(model, batch, [row] * len(every), every, 3)
            pairs = zip(found.tokens[row].tolist(), found.lengths[row].tolist(), strict=True)
            order = [every.index(tuple(tokens[:length])) for tokens, length in pairs]
            assert sorted(order) == list(range(len(every))), "a beam as wide as all outputs misses some of them"
            why = "a beam as wide as all outputs ranks them in another order than teacher forcing\n"
            torch.testing.assert_close(found.scores[row], scores[order], rtol=0, atol=1e-5, msg=why.__add__)
            ranks = (scores / penalty)[order]
            best_first = ranks.sort(descending=True).values
            torch.testing.assert_close(ranks, best_first, rtol=0, atol=1e-5, msg=why.__add__)

    def test_a_prompt_is_gone_on_from(self, model: Seq2Seq, batch: Batch) -> None:
        search = Greedy(max_length=6, min_length=5)
        whole = model.generate(batch.source, batch.source_lengths, search).tokens[:, 0]
        prompt = torch.cat([torch.full((len(whole), 1), BOS), whole[:, :2]], dim=1)
        rest = model.generate(batch.source, batch.source_lengths, Greedy(max_length=4, min_length=3), prompt)
        same = torch.equal(rest.tokens[:, 0], whole[:, 2:])
        assert same, "after its own first two tokens as a prompt, a model says something else than it did at once"

    def test_a_window_that_is_never_full_changes_nothing(self, model: Seq2Seq, batch: Batch) -> None:
        prompt = batch.target[:, :2]
        search = Sample(max_length=5, min_length=5, n_best=2)
        free, within = (
            model.generate(batch.source, batch.source_lengths, search, prompt, window) for window in (None, 6)
        )
        same = all(torch.equal(*values) for values in zip(within, free, strict=True))
        assert same, "a window that is never full changes what is said"

    @pytest.mark.parametrize("given", [1, 7])
    @torch.no_grad()
    def test_text_longer_than_the_window_is_that_of_reading_all_anew(
        self, model: Seq2Seq, examples: Examples, given: int
    ) -> None:
        batch = examples.batch(np.arange(2))
        prompt = torch.tensor([[BOS, 5, 4, 5, 7, 6, 6], [BOS, 7, 6, 5, 4, 7, 7]])[:, :given]
        search = Sample(max_length=8, min_length=8)
        found = model.generate(batch.source, batch.source_lengths, search, prompt, window=5)
        slowly = reread_scores(model, batch, torch.cat([prompt, found.tokens[:, 0]], dim=1), given, window=5)
        why = (
            "text beyond the window differs; does `positional` say whether the model tells tokens by their positions?\n"
        )
        found_scores = found.scores[:, 0].double()  # searches sum in single precision
        torch.testing.assert_close(found_scores, slowly, rtol=0, atol=1e-5, msg=why.__add__)

    # Attention --------------------------------------------------------------------------------------------

    def test_attention_maps_are_distributions_that_leave_padding_out(self, model: Seq2Seq, batch: Batch) -> None:
        tokens = batch.decoder_input
        before = logits_of(model, batch)
        padding = ~padding_mask(batch.source_lengths, batch.source.size(1))
        for name, weights in model.attention_maps(batch.source, batch.source_lengths, tokens).items():
            assert weights.shape[0] == len(batch.rows), name
            why = f"the weights of {name} do not add up to 1\n"
            torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]), msg=why.__add__)
            if weights.shape[-2:] == (tokens.size(1), batch.source.size(1)):
                seen = (weights * padding[:, None, None]).abs().max()
                assert seen == 0, f"{name} attends to padding of the source"
        assert torch.equal(logits_of(model, batch), before), "recording attention changes the logits"
