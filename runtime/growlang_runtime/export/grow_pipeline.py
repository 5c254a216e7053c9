"""The pipeline of an exported folder. It is written there as one file, with all that it uses.

Nothing here may need the compiler: what it reads of a model is the `drawing` of the denoiser's
config, which `growlang_runtime.export.drawing` writes.
"""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers.image_processor import VaeImageProcessor
from diffusers.pipelines.pipeline_utils import DiffusionPipeline, ImagePipelineOutput
from torch import Tensor

from growlang.spec.labels import number_of
from growlang.spec.numbers import as_list, unfit
from growlang_runtime.conditioning.encoders import FrozenEncoder, encoding_half
from growlang_runtime.conditioning.words import padded_ids, word_ids
from growlang_runtime.data.autoencoder import scaling_of
from growlang_runtime.diffusion.detail import Joint, clipped, with_detail
from growlang_runtime.diffusion.guidance import Guidance, Predict, guided
from growlang_runtime.diffusion.noise import over_pixels
from growlang_runtime.diffusion.reading import reading_of
from growlang_runtime.diffusion.sampling import Levels, generator
from growlang_runtime.export.solving import solved

KEPT = ("README.md", "spec.grow", "growlang.json")
"""Files that a saved copy takes along."""

ENCODERS = [
    *("tokenizer", "text_encoder", "tokenizer_2", "text_encoder_2"),
    *("tokenizer_3", "text_encoder_3"),
]
"""Components that a model has for each frozen text encoder."""
COMPONENTS = [*ENCODERS, "vae"]
"""Those that a model may lack."""


def require_usable(said: Mapping[str, Any]) -> None:
    """Raise ValueError for settings that images cannot be drawn with."""
    if said["steps"] < 1:
        raise ValueError(f"num_inference_steps must be at least 1, but is {said['steps']}")
    interval = list(said["interval"])
    if not (len(interval) == 2 and 0 <= interval[0] < interval[1] <= 1):
        raise ValueError(
            "guidance_interval must be two rising times from 0 to 1, 1 being noise, but is "
            f"{interval}"
        )
    for name, value in {
        "guidance_rescale": said["rescale"],
        "detail_scale": said["detail_scale"],
        "detail_temperature": said["detail_temperature"],
        "eta": said["eta"],
    }.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must be from 0 to 1, but is {value}")


class GrowPipeline(DiffusionPipeline):
    """Draws images with a denoiser that growlang trained, as `growlang sample` does.

    Any scheduler of diffusers over a schedule of its own noise levels can be put in the place of
    the one that is there: its levels are replaced by the model's.
    """

    _optional_components = COMPONENTS

    def __init__(
        self,
        unet: Any,
        scheduler: Any,
        tokenizer: Any = None,
        text_encoder: Any = None,
        tokenizer_2: Any = None,
        text_encoder_2: Any = None,
        tokenizer_3: Any = None,
        text_encoder_3: Any = None,
        vae: Any = None,
    ) -> None:
        super().__init__()
        register: Any = self.register_modules
        register(
            unet=unet,
            scheduler=scheduler,
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            tokenizer_2=tokenizer_2,
            text_encoder_2=text_encoder_2,
            tokenizer_3=tokenizer_3,
            text_encoder_3=text_encoder_3,
            vae=vae,
        )

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | int | Sequence[str | int] = "",
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        *,
        guidance_interval: Sequence[float] | None = None,
        guidance_rescale: float | None = None,
        detail_scale: float | None = None,
        detail_temperature: float | None = None,
        numbers: Mapping[str, float | Sequence[float]] | None = None,
        eta: float | None = None,
        seed: int = 0,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> Any:
        """An image for each prompt: captions, or names or numbers of classes; "" is no condition.

        What is None is as the model's spec says. `numbers` are those of conditions that read
        numbers, by their names; sizes are by default the model's. The noise of an image is a
        function of `seed` and its place among the prompts, or of its `generator`. `output_type` is
        "pil", "np" or "pt", in [0, 1], or "latent", in [-1, 1]; of a model of latents that is not
        decoded.
        """
        drawing = self.unet.config.drawing
        prompts = [prompt] if isinstance(prompt, str | int) else list(prompt)
        if not prompts:
            raise ValueError("no prompts given")
        said = dict(drawing["sample"])
        for name, value in {
            "steps": num_inference_steps,
            "guidance": guidance_scale,
            "interval": guidance_interval,
            "rescale": guidance_rescale,
            "detail_scale": detail_scale,
            "detail_temperature": detail_temperature,
            "eta": eta,
        }.items():
            if value is not None:
                said[name] = value
        said["numbers"] = {**said["numbers"], **(numbers or {})}
        require_usable(said)
        random = self._generators(seed, generator, len(prompts))
        images: Any = self._drawn([str(p) for p in prompts], said, random)
        if output_type != "latent":
            if drawing["latent"]:
                images = self._decoded(images)
            processor = VaeImageProcessor(vae_scale_factor=1)
            images = processor.postprocess(images.float().cpu(), output_type=output_type)
        return ImagePipelineOutput(images=images) if return_dict else (images,)

    def _drawn(
        self, prompts: Sequence[str], said: Mapping[str, Any], random: list[torch.Generator]
    ) -> Tensor:
        """Images (N, C, H, W) float32 in [-1, 1], of which detail may lie slightly outside.

        Of a model of latents they are those, scaled.
        """
        drawing, device = self.unet.config.drawing, self.unet.device
        joints = [Joint(*joint) for joint in drawing["joints"]]
        reading, none = reading_of(drawing), [None] * len(prompts)
        given = self._conditions(prompts) | self._numbers(said["numbers"], len(prompts))
        null = self._conditions(none) | self._no_numbers(given)
        low, high = said["interval"]
        guidance = Guidance(said["guidance"], (low, high), said["rescale"])
        predict = guided(self._under, given, null, guidance)

        def within(x: Tensor) -> Tensor:
            return x if drawing["latent"] else clipped(x, joints)

        def ranged(x_t: Tensor, time: Tensor) -> Tensor:
            t = time.expand(len(x_t))
            level = reading.schedule.log_snr(t).to(device)
            if (scale := reading.input_scale(t)) is not None:
                x_t = over_pixels(scale, x_t) * x_t
            found = predict(float(time))(x_t, reading.embedded(t).float().to(device), level)
            prediction, variance = found.float().tensor_split([x_t.shape[1]], 1)
            image = within(reading.to_x(prediction, x_t, t))
            return torch.cat([image, variance], 1) if variance.shape[1] else image

        def denoised(x_t: Tensor, time: Tensor) -> Tensor:
            return ranged(x_t, time)[:, : x_t.shape[1]]

        noise = torch.stack([torch.randn(drawing["dims"], generator=g) for g in random])
        x_t = with_detail(noise.to(device), joints, said["detail_temperature"])
        levels = Levels(
            denoised,
            reading.schedule.log_snr,
            random,
            reading.schedule.sampled_at,
            reading.is_straight,
            ranged if drawing["learns_variance"] else None,
        )
        options = {"eta": said["eta"], "generator": random}
        x = solved(self.scheduler, said["steps"], x_t, levels, **options)
        return with_detail(within(x), joints, said["detail_scale"])

    def _decoded(self, latents: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] of latents, one at a time, as they were trained."""
        scale, shift = scaling_of(self.vae.config)
        rows = latents.cpu() / scale + shift
        given = [row[None].to(self.vae.device, self.vae.dtype) for row in rows]
        return torch.cat([self.vae.decode(row).sample.float() for row in given]).clamp(-1, 1)

    def _under(self, conditions: Mapping[str, Tensor]) -> Predict:
        """The denoiser under conditions; in half precision if its weights are."""
        dtype, inputs = self.unet.dtype, self.unet.config.drawing["inputs"]

        def predict(x_t: Tensor, log_snr: Tensor, level: Tensor) -> Tensor:
            given = {"image": x_t, "log_snr": log_snr, "level": level, **conditions}
            named = {name.replace(".", "_"): given[name] for name in inputs}
            with torch.autocast(x_t.device.type, dtype, enabled=dtype != torch.float32):
                found: Tensor = self.unet(**named)
            return found

        return predict

    def _conditions(self, prompts: Sequence[str | None]) -> dict[str, Tensor]:
        """The net's inputs for prompts; None is the null condition."""
        drawing = self.unet.config.drawing
        conditions = drawing["conditions"]
        conditions = {n: c for n, c in conditions.items() if c["op"] != "number"}
        labelled = [c for c in conditions.values() if c["op"] == "classes"]
        for prompt in filter(None, prompts):
            self._refuse(prompt, len(labelled) == len(conditions), labelled)
        inputs: dict[str, Tensor] = {}
        for name, condition in conditions.items():
            if condition["op"] == "classes":
                names, n = condition["names"], condition["n"]
                labels = [number_of(p, names) if p else None for p in prompts]
                ids = torch.tensor([n if label is None else label for label in labels])
                inputs |= {f"{name}.label": ids, f"{name}.mask": torch.ones(len(ids), 1).bool()}
                continue
            if condition["op"] == "words":
                vocabulary, semantics = condition["vocabulary"], drawing["semantics"]
                found = [word_ids(p or "", vocabulary, semantics) for p in prompts]
                values, mask = padded_ids(found, condition["tokens"], vocabulary)
                inputs |= {f"{name}.ids": values, f"{name}.mask": mask}
                continue
            values, mask = self._encoder(condition)([p or "" for p in prompts])
            inputs |= {f"{name}.embedding": values, f"{name}.mask": mask}
        return {name: value.to(self.unet.device) for name, value in inputs.items()}

    def _numbers(
        self, given: Mapping[str, float | Sequence[float]], count: int
    ) -> dict[str, Tensor]:
        """The net's inputs for numbers by the name of the condition; of others NaN is the null."""
        conditions = self.unet.config.drawing["conditions"]
        read = {name: c for name, c in conditions.items() if c["op"] == "number"}
        if unknown := [name for name in given if name not in read]:
            raise ValueError(f"`{unknown[0]}` is no condition of numbers: {', '.join(read)}")
        inputs: dict[str, Tensor] = {}
        for name, condition in read.items():
            fields, values = condition["fields"], given.get(name, condition["usual"])
            if values is None and not condition["null"]:
                raise ValueError(f"give numbers for `{name}`: {', '.join(fields)}")
            row = [float("nan")] * len(fields) if values is None else as_list(values)
            if values is not None and (why := unfit(name, row, fields)):
                raise ValueError(why)
            inputs[f"{name}.number"] = torch.tensor([row] * count)
            inputs[f"{name}.mask"] = torch.ones(count, 1).bool()
        return {name: value.to(self.unet.device) for name, value in inputs.items()}

    def _no_numbers(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inputs without numbers, of the conditions that have a null."""
        conditions = self.unet.config.drawing["conditions"]
        read = [n for n, c in conditions.items() if c["op"] == "number" and c["null"]]
        none = {f"{n}.number": torch.full_like(given[f"{n}.number"], torch.nan) for n in read}
        return none | {f"{n}.mask": given[f"{n}.mask"] for n in read}

    def _encoder(self, condition: Mapping[str, Any]) -> FrozenEncoder:
        """The frozen text encoder of a condition."""
        part = condition["component"]
        model = encoding_half(getattr(self, f"text_encoder{part}"), condition["op"])
        return FrozenEncoder(
            getattr(self, f"tokenizer{part}"),
            model.eval().float() if model.device.type == "cpu" else model.eval(),
            tokens=condition["tokens"],
            width=condition["width"],
            cache_bytes=0,
        )

    def _refuse(self, prompt: str, labels_only: bool, labelled: Sequence[Any]) -> None:
        """Raise ValueError for a prompt that no condition can read."""
        if not labels_only:
            return
        if not labelled:
            raise ValueError(f'the model has no conditions: give "" and not {prompt!r}')
        for condition in labelled:
            number = number_of(prompt, condition["names"])
            if number is None or number >= condition["n"]:
                some = condition["names"] or [f"a number from 0 to {condition['n'] - 1}"]
                raise ValueError(f"{prompt!r} is no class of the model: {', '.join(some)}")

    def _generators(
        self,
        seed: int,
        given: torch.Generator | Sequence[torch.Generator] | None,
        count: int,
    ) -> list[torch.Generator]:
        """The random numbers of each image, on the CPU."""
        if given is None:
            return [generator(seed, place) for place in range(count)]
        if isinstance(given, torch.Generator):
            return [given] * count
        if len(given) != count:
            raise ValueError(f"{len(given)} generators for {count} prompts: give one for each")
        return list(given)

    def save_pretrained(self, save_directory: Any, *args: Any, **kwargs: Any) -> None:
        """As every pipeline; its code is saved too, and the denoiser saves its own."""
        super().save_pretrained(save_directory, *args, **kwargs)
        folder = Path(save_directory)
        pipeline, denoiser = (Path(inspect.getfile(type(p))) for p in (self, self.unet))
        shutil.copyfile(pipeline, folder / pipeline.name)
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        index["_class_name"] = [pipeline.stem, type(self).__name__]
        index["unet"] = [denoiser.stem, type(self.unet).__name__]
        text = json.dumps(index, indent=2) + "\n"
        (folder / "model_index.json").write_text(text, encoding="utf-8")
        origin = Path(str(self.config.get("_name_or_path") or ""))
        for name in KEPT:
            if (origin / name).is_file() and not (folder / name).exists():
                shutil.copyfile(origin / name, folder / name)
