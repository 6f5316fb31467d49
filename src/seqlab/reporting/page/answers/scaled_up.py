"""What more compute buys: how far each architecture's loss falls with ten times the compute of training."""

from __future__ import annotations

from seqlab.reporting.page.answers.answer import Answer, Conclusion
from seqlab.reporting.page.scaling import Scaling, scalings
from seqlab.reporting.page.sources import Material
from seqlab.reproduction.power_law import PowerLaw


def scaled_up(material: Material) -> Answer:
    """The exponents of the power laws of each claim that fitted some."""
    question = "What does ten times the compute buy?"
    found = scalings(material.claims)
    if not found:
        return Answer(question, run="make reproduce-P")
    return Answer(
        question, [_bought(one) for one in found], [(f"plot, claim {one.claim}", one.figure.id) for one in found]
    )


def _bought(one: Scaling) -> Conclusion:
    ordered = sorted(one.laws.items(), key=lambda pair: -pair[1].exponent)
    (most, high), (least, low) = ordered[0], ordered[-1]
    ends = ordered if len(ordered) == 1 else [ordered[0], ordered[-1]]
    bought = ", ".join(f"{_change(law)} with {name}" for name, law in ends)
    verdict = f"{one.quality} {bought}, by power laws through the sizes that were measured."
    evidence = [f"Exponents (95 % over seeds): {'; '.join(f'{name} {law}' for name, law in ordered)}."]
    if high.interval is None or low.interval is None:
        evidence.append("Only one seed has all sizes, so there is no interval: another seed may say otherwise.")
    elif len(ends) == 2 and high.interval[0] <= low.interval[1]:
        evidence.append(f"The intervals of {most} and {least} overlap: which of them gains more is not shown.")
    return Conclusion(f"{one.title} (reference)", verdict, evidence)


def _change(law: PowerLaw) -> str:
    return f"{abs(law.tenfold):.1%} {'lower' if law.tenfold >= 0 else 'higher'}"
