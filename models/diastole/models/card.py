"""The model's card: who is in it, what it reaches, what it cannot do, as Markdown."""

from collections.abc import Iterable, Mapping

from diastole.edge.pipeline.scoring import Metadata
from diastole.models.datasets import DATA_SETS
from diastole.models.figures import Figures
from diastole.models.metrics import Figure

LIMITS = """\
- Stress here is task-related arousal in a laboratory: a task, talk and posture, in healthy
  volunteers with an Empatica E4 on the wrist. Excitement raises a heart rate too.
- A quarter of the people of Stress-Predict show no rise of the heart rate in their tasks: no model
  of the heart rate can find them.
- Both protocols run rest first, so elapsed time alone scores as shown; it is no input here.
- p is stated at a prevalence of one half, and must be restated before it is read as a frequency.
- A moving device's own average heart rate is left out from 15 mg of activity on. That limit was set
  on these same people, by their rest and with their figures in view: AUC on Stress-Predict is 0.68
  without it, at more windows scored. Expect less on people unseen.
- In Hongn sex and protocol version coincide: no figure by sex means anything there.
- No medical device; not validated for any person, patient or decision."""


def card(
    metadata: Metadata,
    digest: str,
    by_set: Mapping[str, Figures],
    by_transfer: Mapping[str, Figures],
) -> str:
    """Write the card of a model from its own metadata and its figures."""
    inputs = ", ".join(f"`{item.name}` ({item.unit})" for item in metadata.inputs)
    return "\n".join(
        [
            "# stress.onnx",
            "",
            f"A logistic regression on {inputs}, schema {metadata.input_schema}, "
            f"prevalence {metadata.prevalence}, hash {digest[:12]}. "
            "`diastole train` writes this page and the model, the same bits from the same data.",
            "",
            "## Who is in it",
            *_people(metadata),
            "",
            "## What it reaches",
            "Leaving one person out: everybody is judged by a model trained on all sets without "
            "them; who is not in it is judged too, and teaches none. Windows of 60 s every 5 s, "
            "no label used by the judge; [95 % interval over people, 2,000 draws]. "
            "`diastole evaluate` prints more, sessions in another order among it. Of lines on "
            "every choice of inputs and of boosted trees, none is better on the set that it has "
            "not seen by more than drawing people anew moves it, nor is `hr_rise_1h` alone worse. "
            "The distance from the normal is kept beside it: these visits last under an hour, "
            "where the two say the same; over a day, the rise alone has no word for a heart rate "
            "that stays high (p 0.50).",
            "",
            *markdown_table(by_set),
            "",
            "Trained on one set alone, judged on the other:",
            "",
            *markdown_table(by_transfer),
            "",
            "## What it cannot do",
            LIMITS,
            "",
        ]
    )


def _people(metadata: Metadata) -> Iterable[str]:
    sets = {item.name: item for item in DATA_SETS}
    for seen in metadata.trained:
        about = sets[seen.data_set]
        yield (
            f"- {about.title}: {seen.people} people, {seen.windows:,} windows; "
            f"{about.licence}; {about.cite}."
        )
    if metadata.left_out:
        yield (
            f"- Not in it: {', '.join(metadata.left_out)}, whom the demo shows: one of the "
            "clearest sessions, not one like all."
        )


def markdown_table(columns: Mapping[str, Figures]) -> Iterable[str]:
    """Yield the lines of a table: a row a figure, a column a data set."""
    yield "| | " + " | ".join(columns) + " |"
    yield "|---" * (len(columns) + 1) + "|"
    for name in dict.fromkeys(name for figures in columns.values() for name in figures):
        cells = (_cell(figures.get(name)) for figures in columns.values())
        yield f"| {name} | " + " | ".join(cells) + " |"


def _cell(figure: Figure | float | None) -> str:
    if figure is None:
        return ""
    return str(figure) if isinstance(figure, Figure) else f"{figure:.3f}"
