"""Classifiers in safetensors files, and the one shipped with the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inpaint.classifier.model import Classifier
from inpaint.files.safetensors import pack_tensors, read_module
from inpaint.generators.pretrained.catalog import SUFFIX, Catalog

_CATALOG = Catalog("classifier", folder="classifiers", alternative=f"a file that ends in {SUFFIX}")
_ENTRY = "classifier"


def pack_classifier(classifier: Classifier) -> bytes:
    """A classifier as the content of a safetensors file."""
    facts = {
        "image_shape": classifier.image_shape,
        "classes": classifier.classes,
        "name": classifier.name,
    }
    return pack_tensors(classifier.state_dict(), {_ENTRY: json.dumps(facts)})


def read_classifier(path: str | Path) -> Classifier:
    """Read what `pack_classifier` packed.

    Raises:
        FileError: If the file cannot be read, or does not hold a valid classifier.
    """
    return read_module(path, _ENTRY, _build, what="classifier", command="train-classifier")


def _build(facts: Any) -> Classifier:
    channels, height, width = facts["image_shape"]
    return Classifier((channels, height, width), facts["classes"], name=str(facts["name"]))


def classifier_names() -> tuple[str, ...]:
    """The names of the shipped classifiers, in alphabetical order."""
    return _CATALOG.names()


def load_classifier(name: str) -> Classifier:
    """Load a classifier shipped with the package, or one from a file.

    Args:
        name: One of `classifier_names`, or a path that ends in .safetensors.

    Raises:
        ArgumentError: If no classifier has this name.
        FileError: If the file cannot be read.
    """
    with _CATALOG.find(name) as path:
        return read_classifier(path)


def classifier_card(name: str) -> str:
    """The model card of a shipped classifier, as Markdown.

    Raises:
        ArgumentError: If no classifier has this name.
    """
    return _CATALOG.card(name)
