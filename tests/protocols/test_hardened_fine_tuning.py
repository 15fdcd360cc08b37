"""Fine-tuning on attacked examples, after a pre-training on examples as they are."""

from dataclasses import replace
from typing import Any

import pytest
from torch import Tensor, nn
from toy_pictures import BENCHMARK, architecture, quick, space_of

from nas.benchmark import Budget
from nas.evaluation import Evaluator
from nas.training.hardening import harden

__all__ = ["quick"]


@pytest.mark.usefixtures("quick")
def test_the_attack_meets_the_fine_tuning_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[tuple[int, ...]] = []
    counts: list[int] = []

    def watched(network: nn.Module, task: Any, inputs: Tensor, *rest: Any) -> Tensor:
        met.append(tuple(inputs.shape))
        return harden(network, task, inputs, *rest)

    monkeypatch.setattr("nas.training.method.harden", watched)
    options = {"pretext": "simclr", "epochs": 2, "recipe": {"batch_size": 16}}
    plain = replace(BENCHMARK, protocol_options=options)
    attacked = replace(plain, recipe=replace(plain.recipe, adversarial="fgsm-linf-0.2"))
    records = [
        Evaluator(space_of("pictures"), one, device="cpu")(
            architecture(), budget=Budget(epochs=2), seed=0, on_step=lambda _: counts.append(len(met))
        )
        for one in (plain, attacked)
    ]
    assert [record.outcome for record in records] == ["complete"] * 2, records[1].error
    before = counts[8]  # steps that its memory was measured by
    assert counts == [0] * 8 + [before] * 4 + [before + step for step in (1, 2, 3, 4)], "none of four steps without labels"
    assert {*met} == {(8, 1, 8, 8)}
    names = [name for name in records[0].figures if name.startswith("pretrain_validation")]
    assert names
    assert all(records[0].figures[name] == records[1].figures[name] for name in names), "one trunk for both"
    assert records[0].curve[0].train_loss != records[1].curve[0].train_loss
