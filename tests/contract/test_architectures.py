"""Every architecture, in several variants, keeps the contract that `seqlab.testing` has for whoever writes one."""

import pytest
import torch
from lightning.pytorch import Trainer
from support import ROOT
from torch import nn

from seqlab.config.component import Component
from seqlab.config.data_and_model import build_model
from seqlab.data.documents import Documents
from seqlab.decoding import Greedy
from seqlab.inference import bundle
from seqlab.models.base import Seq2Seq
from seqlab.models.training_module import trainable
from seqlab.special_tokens import PAD
from seqlab.testing import ArchitectureContract
from seqlab.testing.architecture import logits_of, loss_of, with_random_weights
from seqlab.text.tokenizers import CharacterTokenizer


def test_the_contract_holds_for_every_architecture(architectures):
    configs = {path.stem for path in (ROOT / "conf/model").glob("*.yaml")}
    assert configs == {name.split("-")[0] for name in architectures}


@pytest.fixture(scope="session")
def running_text(tmp_path_factory):
    """Blocks of a text: there are no sources."""
    folder = tmp_path_factory.mktemp("text")
    (folder / "text.txt").write_text("".join(f"Sentence {n} is the last but {89 - n}. " for n in range(89)))
    data = Documents(
        CharacterTokenizer.fit, folder / "text.txt", length=7, block=300, batch_size=5, cache=folder / "cache"
    )
    data.prepare_data()
    data.setup("fit")
    return data


class TestArchitectures(ArchitectureContract):
    """The contract, and what concerns only those that are built from a config."""

    @pytest.fixture(autouse=True)
    def _config(self, model_config):
        self.config = model_config

    def build(self, source_size, target_size):
        return Component.of(self.config, "model").build(source_size=source_size, target_size=target_size)

    @pytest.fixture
    def model(self):
        """Ours leave padding out by masks: it may be embedded as anything."""
        torch.manual_seed(5)
        model = with_random_weights(self.build(self.source_size, self.target_size))
        for module in model.modules():
            if isinstance(module, nn.Embedding):
                with torch.no_grad():
                    module.weight[PAD].uniform_(-0.7, 0.7)
        return model

    def test_on_running_text_no_parameter_is_left_out(self, running_text):
        """Processes that train together wait for the gradient of every parameter."""
        model = build_model(Component.of(self.config, "model"), running_text)
        (batch, *_) = running_text.train_dataloader()
        assert not batch.source_lengths.any()
        loss_of(model(batch.source, batch.source_lengths, batch.decoder_input), batch.labels).backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []

    def test_a_bundle_gives_the_same_model_back(self, model, batch, tmp_path):
        sizes = {"source_size": model.source_size, "target_size": model.target_size}
        alphabets = [CharacterTokenizer([chr(97 + i) for i in range(size - 4)]) for size in sizes.values()]
        settings = {name: value for name, value in self.config.items() if name != "_target_"} | sizes
        bundle.save(tmp_path / "bundle", model, settings, tuple(alphabets), Greedy(max_length=7))
        loaded = bundle.load(tmp_path / "bundle").model
        assert torch.equal(logits_of(loaded, batch), logits_of(model, batch))

    def test_a_checkpoint_gives_the_same_model_back(self, model, batch, tmp_path):
        trainer = Trainer(logger=False, enable_progress_bar=False, accelerator="cpu")
        sizes = {"source_size": model.source_size, "target_size": model.target_size}
        trained = Component.of(self.config, "model").build(Seq2Seq, trainable, **sizes)
        trained.load_state_dict(model.state_dict())
        trainer.strategy.connect(trained)
        trainer.save_checkpoint(tmp_path / "last.ckpt")
        other = self.build(model.source_size, model.target_size).eval()
        assert not torch.allclose(logits_of(other, batch), logits_of(model, batch))
        other.load_state_dict(torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"])
        assert torch.equal(logits_of(other, batch), logits_of(model, batch))
