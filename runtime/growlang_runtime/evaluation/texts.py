"""Scores of images against their prompts, by models of transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from growlang.diagnostics import GrowlangError
from growlang.net import digest
from growlang.spec.metrics import DSG, CLIPScore
from growlang.torch_backend.tensor_files import contents_hash
from growlang_runtime.conditioning.readings import quoted
from growlang_runtime.evaluation.distances import from_torchmetrics, local
from growlang_runtime.evaluation.extractors import pretrained, weights_name
from growlang_runtime.evaluation.loaded import loaded_once
from growlang_runtime.evaluation.pictures import Chunk, coloured
from growlang_runtime.evaluation.subject import Measured, Subject

ANSWER = 5
"""Most tokens of an answer."""


def clip_score(metric: CLIPScore, subject: Subject) -> Measured:
    """The mean cosine of images and prompts, times 100; negative means are 0."""
    from transformers import CLIPModel, CLIPProcessor

    weights = local(metric.weights, subject.data_root)
    model = pretrained(CLIPModel, weights, metric.call).to(subject.device)
    processor = pretrained(CLIPProcessor, weights, metric.call)
    kind = from_torchmetrics("multimodal.clip_score", "CLIPScore")
    scorer = kind(lambda: (_Embedding(model), processor)).to(subject.device)
    protocol = {
        "extractor": f"CLIPModel ({weights_name(weights)})",
        "weights_sha256": contents_hash(model.state_dict()),
        "input": "8-bit values, by the model's processor",
        "size": model.config.vision_config.image_size,
        "resize": "bicubic (Pillow's)",
        "antialias": True,
        "dtype": "float32",
        "normalisation": "norm 1",
        "generated": len(subject.generated),
    }

    def compute(chunk: Chunk) -> Tensor:
        """The sum of the scores, and how many there are."""
        scorer.reset()
        for first in range(0, len(chunk.images), subject.batch):
            some = slice(first, first + subject.batch)
            images = list(coloured(chunk.images[some]).to(subject.device))
            with torch.no_grad():
                scorer.update(images, list(chunk.texts[some]))
        return torch.tensor([float(scorer.score), float(scorer.n_samples)], dtype=torch.float64)

    what = digest([protocol["extractor"], protocol["weights_sha256"], "clip_score"])
    value, floor = (
        max(0.0, float(sums[0] / sums[1]))
        for pictures in (subject.generated, subject.reference)
        for sums in [torch.stack([*pictures.computed(what, compute, captioned=True)]).sum(0)]
    )
    captioned = all(subject.reference.texts())
    said = {"floor_of": "real images with their captions" if captioned else "none: no captions"}
    return Measured(value, floor if captioned else None, protocol=protocol | said)


class _Embedding(nn.Module):
    """A CLIP model whose embeddings are tensors, as torchmetrics reads them.

    From version 5 on, those of transformers are in an output with other fields.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def get_image_features(self, *args: Any, **kwargs: Any) -> Tensor:
        return _tensor(self.model.get_image_features(*args, **kwargs))

    def get_text_features(self, *args: Any, **kwargs: Any) -> Tensor:
        return _tensor(self.model.get_text_features(*args, **kwargs))


def _tensor(found: Any) -> Tensor:
    embedding: Tensor = found if isinstance(found, Tensor) else found.pooler_output
    return embedding


# --- questions about images ----------------------------------------------------------------------


class Question(NamedTuple):
    """A question about a prompt, which counts where those that it needs are answered by yes."""

    id: int
    text: str
    needs: tuple[int, ...] = ()


def dsg(metric: DSG, subject: Subject) -> Measured:
    """The mean over images of the share of their questions that are answered by yes."""
    path = subject.data_root / metric.questions
    questions = read_questions(path)
    prompts = subject.generated.texts()
    if missing := next((p for p in prompts if p not in questions), None):
        raise GrowlangError(
            f"{path} has no questions about the prompt {quoted(missing)}",
            help="add a line for it, or give the prompts of the file with --prompts",
        )
    weights = local(metric.weights, subject.data_root)
    answer, hashed = answerer(weights, metric.call, subject.device)

    def compute(chunk: Chunk) -> Tensor:
        pictures = coloured(chunk.images).permute(0, 2, 3, 1).numpy()
        shares = []
        for pixels, text in zip(pictures, chunk.texts, strict=True):
            image = Image.fromarray(pixels)
            asked = questions[text]
            said = {q.id: answer(image, q.text) for q in asked}
            shares.append(share(asked, said))
        return torch.tensor(shares, dtype=torch.float64)

    asked = {prompt: questions[prompt] for prompt in dict.fromkeys(prompts)}
    what = digest(["dsg", hashed, asked])
    found = torch.cat([*subject.generated.computed(what, compute, captioned=True)])
    protocol = {
        "extractor": f"questions by {weights_name(weights)}",
        "weights_sha256": hashed,
        "questions": sum(len(asked[prompt]) for prompt in prompts),
        "questions_sha256": digest(asked),
        "input": "8-bit values, by the model's processor",
        "answers": "greedy; those that begin with `yes` count",
        "generated": len(found),
    }
    return Measured(float(found.mean()), protocol=protocol)


def share(asked: tuple[Question, ...], answers: Mapping[int, bool]) -> float:
    """The share of yes; a question counts as no where one that it needs is answered by no."""
    yes = [answers[q.id] and all(answers.get(n, False) for n in q.needs) for q in asked]
    return sum(yes) / len(yes)


def read_questions(path: Path) -> dict[str, tuple[Question, ...]]:
    """The questions by prompt. Raises GrowlangError, with the line, for what is none."""
    form = (
        '{"prompt": "a cat", "questions": [{"id": 1, "question": "is there a cat?", "needs": []}]}'
    )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise GrowlangError(
            f"cannot read the questions of `dsg`: {path}: {error}",
            help=f"`questions` is a file below the data root, with lines such as {form}",
        ) from error
    found = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            rows = said["questions"]
            asked = tuple(
                Question(int(q["id"]), str(q["question"]), tuple(map(int, q.get("needs", []))))
                for q in rows
            )
            if not asked:
                raise ValueError("there are no questions")
            found[str(said["prompt"])] = asked
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise GrowlangError(
                f"{path}:{number} has no questions: {error}", help=f"write a line such as {form}"
            ) from error
    return found


@loaded_once
def answerer(weights: str, metric: str, device: torch.device) -> tuple[Any, str]:
    """Whether a model answers a question about an image by yes, and its weights' hash."""
    from transformers import AutoModelForVisualQuestionAnswering, AutoProcessor

    model = pretrained(AutoModelForVisualQuestionAnswering, weights, metric).to(device)
    processor = pretrained(AutoProcessor, weights, metric)

    @torch.no_grad()
    def answer(image: Image.Image, question: str) -> bool:
        read = processor(images=image, text=question, return_tensors="pt").to(device)
        if hasattr(model, "generate") and model.can_generate():
            ids = model.generate(**read, max_new_tokens=ANSWER, do_sample=False)
            said = processor.decode(ids[0], skip_special_tokens=True)
        else:
            said = model.config.id2label[int(model(**read).logits.argmax())]
        return str(said).strip().lower().startswith("yes")

    return answer, contents_hash(model.state_dict())
