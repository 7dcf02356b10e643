"""How well a generator draws: the figures themselves, what they refuse, and the command."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from inpaint.classifier.files import load_classifier, pack_classifier
from inpaint.classifier.model import Classifier
from inpaint.errors import ArgumentError, ShapeError
from inpaint.files.digits import draw_digit
from inpaint.files.job import EvaluateJob
from inpaint.files.reading import read_generator, write_generator
from inpaint.generators import Dense, Generator, pretrained
from inpaint.studies.samples import (
    FIGURES,
    SampleInputs,
    density_and_coverage,
    frechet_distance,
    judge_samples,
    load_sample_inputs,
    read_card,
)
from tests.helpers import inpaint, random_generator, refused, write_idx

HELD_OUT = 140
REST = 160


@pytest.fixture(scope="module")
def digits() -> Tensor:
    """Drawn digits, 0 to 9 in turn, with the grey levels of an IDX file. [300, 1, 28, 28]"""
    rng = np.random.default_rng(0)
    pictures = np.stack([draw_digit(number % 10, rng) for number in range(HELD_OUT + REST)])
    return torch.from_numpy((255 * pictures).round() / 255)[:, None].float()


@pytest.fixture(scope="module")
def inputs(digits: Tensor) -> SampleInputs:
    return SampleInputs(
        generator=of_images(digits[:REST]),
        classifier=load_classifier("digits"),
        real=digits[REST:],
        labels=torch.arange(REST, REST + HELD_OUT) % 10,
        others=digits[:REST],
    )


def of_images(images: Tensor) -> Generator:
    """A generator whose samples are some images, each about as often as the others."""
    count = len(images)
    # A softmax is no layer, so the largest of the latent numbers is found by steep sigmoids.
    quantiles = torch.distributions.Normal(0.0, 1.0).icdf(torch.arange(1, count) / count).double()
    steps = Dense(torch.full((count - 1, 1), 1e6).double(), -1e6 * quantiles, "sigmoid")
    pixels = images.flatten(1).double().clamp(1e-4, 1 - 1e-4).logit()
    output = Dense((pixels[1:] - pixels[:-1]).T.contiguous(), pixels[0], "sigmoid")
    return Generator((steps, output), (1, 28, 28), name="copies")


def test_the_frechet_distance_of_known_normal_distributions() -> None:
    stream = torch.Generator().manual_seed(0)
    first = torch.randn(200_000, 2, generator=stream, dtype=torch.float64)
    mixing = torch.tensor([[2.0, 0.0], [1.0, 0.5]], dtype=torch.float64)
    second = first[:100_000] @ mixing.T + torch.tensor([3.0, -1.0])
    # Against a standard normal one it is |m|^2 + tr(1 + C - 2 C^(1/2)).
    singular = torch.linalg.svdvals(mixing)
    expected = 10 + float(((singular - 1) ** 2).sum())
    assert frechet_distance(first, second) == pytest.approx(expected, rel=0.01)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=0.01)
    assert frechet_distance(second, second) == pytest.approx(0, abs=1e-9)
    # Features that never vary have a singular covariance.
    flat = torch.cat([first[:500], torch.zeros(500, 3).double()], dim=1)
    assert frechet_distance(flat, flat) == pytest.approx(0, abs=1e-9)


def test_density_and_coverage_of_points_on_a_line() -> None:
    # The 5 nearest of 0 to 9: the radius is 5 at the ends, and 3 in the middle.
    real = torch.arange(10.0)[:, None].double()
    at_end = density_and_coverage(torch.tensor([[-5.0]]).double(), real)
    assert at_end == (pytest.approx(1 / 5), pytest.approx(1 / 10))
    inside = density_and_coverage(torch.tensor([[4.5]] * 3).double(), real)
    assert inside == (pytest.approx(10 / 5), pytest.approx(1.0))
    assert density_and_coverage(torch.tensor([[99.0]]).double(), real) == (0, 0)


def test_samples_of_the_same_distribution_are_dense_and_cover_it() -> None:
    stream = torch.Generator().manual_seed(1)
    real, other = torch.randn(2, 1000, 8, generator=stream, dtype=torch.float64)
    density, coverage = density_and_coverage(other, real)
    assert density == pytest.approx(1, abs=0.1)
    assert coverage > 0.9
    # A generator that draws one usual image over and over is dense and covers little.
    density, coverage = density_and_coverage(torch.zeros(1000, 8).double(), real)
    assert density > 1
    assert coverage < 0.9


def test_copies_of_real_images_are_judged_as_those_images_are(inputs: SampleInputs) -> None:
    study = judge_samples(inputs, count=2000)
    assert study.real is not None
    assert (study.references, study.reals, study.classes) == (HELD_OUT, REST, tuple(range(10)))
    for figure in FIGURES:
        found, usual = (getattr(each, figure.name) for each in (study.samples, study.real))
        assert found == pytest.approx(usual, rel=0.35), figure.name
    assert study.real.right > 0.9
    assert judge_samples(inputs, count=2000) == study
    assert judge_samples(inputs, count=2000, seed=1).samples != study.samples


def test_faults_show_in_their_figures(inputs: SampleInputs) -> None:
    study = judge_samples(inputs, count=200)
    assert study.real is not None
    ones = dataclasses.replace(inputs, generator=of_images(inputs.real[1::10]))
    lacking = judge_samples(ones, count=200).samples
    # Only ones are drawn: each can be read, and most of the digits are left out.
    assert lacking.right > 0.9
    assert lacking.coverage < 0.5 * study.real.coverage
    assert lacking.frechet > 5 * study.real.frechet
    noise = dataclasses.replace(
        inputs, generator=random_generator((4, 8, 784), image_shape=(1, 28, 28))
    )
    spoiled = judge_samples(noise, count=200).samples
    assert spoiled.density < 0.1
    assert spoiled.coverage < 0.1
    assert spoiled.frechet > 5 * study.real.frechet


def test_the_right_class_is_one_of_those_asked_for(inputs: SampleInputs) -> None:
    """A perfect eight is wrong where sevens are asked for."""
    sevens = inputs.labels == 7
    sevens_real = inputs.real[sevens].repeat(10, 1, 1, 1)
    eights = of_images(inputs.real[inputs.labels == 8])
    asked = dataclasses.replace(
        inputs,
        generator=eights,
        real=sevens_real,
        labels=torch.full((len(sevens_real),), 7),
        others=None,
    )
    study = judge_samples(asked, count=200)
    assert study.samples.right < 0.1
    assert study.real is None
    assert study.reals == 0
    assert "real images" not in " ".join(list(study.card().values())[:-1])


def test_a_card_keeps_the_figures(inputs: SampleInputs, tmp_path: Path) -> None:
    study = judge_samples(inputs, count=200)
    generator = dataclasses.replace(inputs.generator, card={"seed": "0", **study.card()})
    path = tmp_path / "copies.safetensors"
    write_generator(generator, path)
    entries = read_card(read_generator(path).card)
    assert list(entries) == [*(figure.title for figure in FIGURES), "measured"]
    assert study.real is not None
    expected = f"{study.samples.right:.3g} (real images: {study.real.right:.3g})"
    assert entries["right class"] == expected
    assert read_card({"seed": "0"}) == {}


@pytest.mark.parametrize("name", pretrained.pretrained_names())
def test_a_shipped_card_has_the_figures_that_its_weights_hold(name: str) -> None:
    """The page reads the weights' file, people read the card."""
    entries = read_card(pretrained.load_pretrained(name).card)
    pairs = [entries[figure.title].rstrip(")").split(" (real images: ") for figure in FIGURES]
    samples, real = (" | ".join(column) for column in zip(*pairs, strict=True))
    card = pretrained.model_card(name)
    assert f"| samples of {name} | {samples} |" in card
    assert f"| other real images | {real} |" in card


@pytest.mark.parametrize(
    ("changes", "count", "error", "message"),
    [
        ({"real": slice(100)}, 200, ArgumentError, "There are 100 real images"),
        ({}, 100, ArgumentError, "There are 100 samples"),
        ({"labels": 1}, 200, ArgumentError, "of the real images for their label; it must be"),
        ({"labels": 10}, 200, ArgumentError, "has the label 19; the classifier 'digits' knows"),
        ({"others": "real"}, 200, ArgumentError, "140 of the 140 real images are among"),
        ({"classifier": (1, 20, 28)}, 200, ShapeError, "these have \\[1, 28, 28\\]"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    inputs: SampleInputs, changes, count: int, error: type[Exception], message: str
) -> None:
    """Above all a classifier of other images, whose figures would mean nothing."""
    fields = {}
    if "real" in changes:
        fields = {"real": inputs.real[changes["real"]], "labels": inputs.labels[changes["real"]]}
    if "labels" in changes:
        fields["labels"] = inputs.labels + changes["labels"]
        fields["labels"] %= 10 if changes["labels"] < 10 else 1000
    if "others" in changes:
        fields["others"] = inputs.real
    if "classifier" in changes:
        fields["classifier"] = Classifier(changes["classifier"], 10)
    with pytest.raises(error, match=message):
        judge_samples(dataclasses.replace(inputs, **fields), count=count)


@pytest.fixture
def files(digits: Tensor, inputs: SampleInputs, tmp_path: Path) -> tuple[object, ...]:
    """Words of the command line: the drawings as IDX files, and what is held out."""
    ink = np.rint(255 * (1 - digits[:, 0].numpy())).astype(np.uint8)
    images = write_idx(tmp_path / "images-ubyte", ink)
    labels = write_idx(tmp_path / "labels-ubyte", np.arange(len(ink)) % 10)
    write_generator(inputs.generator, tmp_path / "copies.safetensors")
    return images, "--labels", labels, "--hold-out", HELD_OUT


def test_evaluate_judges_samples_and_repeats_that(
    files: tuple[object, ...], inputs: SampleInputs, tmp_path: Path
) -> None:
    out, copies = tmp_path / "out", tmp_path / "copies.safetensors"
    result = inpaint("evaluate", *files, "--samples", "--generator", copies, "--output", out)
    assert result.exit_code == 0, result.output
    record = json.loads((out / "evaluation.json").read_text())
    assert (out / "figure.png").read_bytes()[:4] == b"\x89PNG"
    study = judge_samples(inputs)
    assert record["results"]["samples"]["samples"] == pytest.approx(
        dataclasses.asdict(study.samples), rel=1e-6
    )
    assert record["results"]["samples"]["reals"] == REST
    for words in ("4000 samples of copies", "160 other real images", "140 real images"):
        assert words in result.stdout
    for figure in FIGURES:
        assert figure.title in result.stdout
        assert f"{getattr(study.samples, figure.name):.3g}" in result.stdout
    again = inpaint("evaluate", "--from-run", out / "evaluation.json", "--output", tmp_path / "b")
    assert again.exit_code == 0, again.output
    repeated = json.loads((tmp_path / "b" / "evaluation.json").read_text())
    assert repeated["results"] == record["results"]
    write_generator(of_images(inputs.real), copies)
    changed = inpaint("evaluate", "--from-run", out / "evaluation.json", "--output", out)
    refused(changed, "copies.safetensors", "has changed")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--samples", "--keep", 300), "--samples restores nothing, so --keep has no effect"),
        (("--samples", "--mask", "left"), "so --mask has no effect"),
        (("--samples", "--restarts", 3), "so --restarts has no effect"),
        (("--samples", "--preset", "best"), "has no effect"),
        (("--samples", "--methods", "pca"), "so --methods has no effect"),
        (("--classifier", "digits.safetensors"), "add --samples"),
        (("--samples", "--classifier", "letters"), "no shipped classifier 'letters'"),
        (("--samples", "--digit", 3), "There are 14 real images"),
    ],
)
def test_what_means_nothing_for_samples_is_refused(
    files: tuple[object, ...], tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    refused(inpaint("evaluate", *files, *words, "--output", tmp_path / "out"), message)


def test_a_training_reports_its_samples(files: tuple[object, ...], tmp_path: Path) -> None:
    words = ("--hidden", 8, "--encoder-hidden", "8,8", "--steps", 3, "--inversion-steps", 0)
    out = tmp_path / "out"
    made = inpaint("train", *files, *words, "--strokes", 0.2, "--name", "tiny", "--output", out)
    assert made.exit_code == 0, made.output
    assert "4000 samples of tiny" in made.stdout
    record = json.loads((out / "tiny.json").read_text())
    assert record["results"]["data"]["images"] == REST + REST // 4
    figures = record["results"]["samples"]["samples"]
    assert all(math.isfinite(value) for value in figures.values())
    generator = read_generator(out / "tiny.safetensors")
    assert read_card(generator.card)["density"].startswith(f"{figures['density']:.3g} (real")
    few = ("--hold-out", 20, "--name", "few", "--output", out)
    made = inpaint("train", *files[:3], *words, *few)
    assert made.exit_code == 0, made.output
    assert "The samples were not judged. There are 20 real images" in made.stdout
    assert read_card(read_generator(out / "few.safetensors").card) == {}
    refused(inpaint("train", *files, *words, "--strokes", 1.5), "strokes is 1.5")


def test_train_classifier_writes_one_that_judges(files: tuple[object, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("--steps", 80, "--learning-rate", 5e-3, "--name", "mine", "--average", 0)
    result = inpaint("train-classifier", *files, *words, "--output", out)
    assert result.exit_code == 0, result.output
    record = json.loads((out / "mine.json").read_text())
    assert record["results"]["accuracy"] > 0.9
    assert f"{record['results']['accuracy']:.2%} of the 140 held-out images" in result.stdout
    made = out / "mine.safetensors"
    judged = inpaint(
        "evaluate", *files, "--samples", "--classifier", made, "--output", tmp_path / "judged"
    )
    assert judged.exit_code == 0, judged.output
    assert "The classifier mine takes" in judged.stdout
    made.write_bytes(pack_classifier(Classifier((1, 28, 28), 10, name="untrained")))
    untrained = inpaint("evaluate", *files, "--samples", "--classifier", made)
    refused(untrained, "'untrained' takes", "inpaint train-classifier")


@pytest.mark.slow
def test_the_published_generator_has_the_figures_of_the_documents(data_dir: Path) -> None:
    job = EvaluateJob(
        images=data_dir / "train-images-idx3-ubyte.gz",
        labels=data_dir / "train-labels-idx1-ubyte.gz",
        digits=(8,),
        generator=str(data_dir / "data21.mat"),
        samples=True,
    )
    study = judge_samples(load_sample_inputs(job))
    assert study.real is not None
    expected = {study.samples: (0.918, 19.0, 0.865, 0.882), study.real: (0.95, 2.8, 0.94, 0.953)}
    for found, figures in expected.items():
        assert dataclasses.astuple(found) == pytest.approx(figures, rel=0.01)
