"""Bad input on every page: one clear sentence, nothing else broken, and a way out."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from tests.dashboard.helpers import (
    choose,
    open_page,
    settle,
    small_generator,
    tables,
    texts,
    upload,
)

WITH_IMAGES = ("restore", "sweep", "uncertainty", "watch", "compare")
PAGES = (*WITH_IMAGES, "generator", "speed")
SMALL = {"numbers": "2", "particles": "96", "chains": "2", "moves": "2", "restarts": "8"}
"""Settings with which every page answers in moments."""


def opened_at(monkeypatch: pytest.MonkeyPatch, page: str, **query: str) -> AppTest:
    """A page as a link with quick settings opens it."""
    return open_page(monkeypatch, page, **{**SMALL, **query})


def the_message(app: AppTest) -> str:
    """The one sentence that is said; the form is there as ever."""
    assert not app.exception
    assert len(app.error) == 1
    message = str(app.error[0].value)
    assert message.endswith("."), message
    assert "Traceback" not in message
    return message


def png(*shape: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros(shape, np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


class Bomb:
    """Goes off where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return pytest.fail, ("It was unpickled.",)


def pickled() -> bytes:
    return pickle.dumps(Bomb())


@pytest.mark.parametrize("page", PAGES)
def test_a_link_out_of_range_opens_with_the_defaults(
    monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    app = opened_at(
        monkeypatch,
        page,
        N="99999",
        noise="nan",
        restarts="-3",
        steps="0",
        seed="x",
        max_gradients="0",
        preset="nope",
        images="../../etc/passwd",
        generator="nope",
        right="nope",
        other_restarts="0",
        job="nope",
    )
    assert not app.error
    assert [header.value.lower() for header in app.header] == [page]


@pytest.mark.parametrize("page", WITH_IMAGES)
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"numbers": "99"}, "Which of them: images asks for number 99"),
        ({"numbers": "a-b"}, "Which of them: images is 'a-b'"),
        ({"threads": "9999"}, "Threads: threads is 9999"),
    ],
)
def test_a_bad_setting_is_said_on_each_page(
    monkeypatch: pytest.MonkeyPatch, page: str, query: dict[str, str], sentence: str
) -> None:
    app = opened_at(monkeypatch, page, **query)
    if page == "sweep":
        assert app.multiselect("counts").label == "Restarts compared", "nothing jumps"
    assert sentence in the_message(app)


def check_recovery(app: AppTest, kind: str, name: str, data: bytes, *, then: str) -> None:
    """A file that cannot be used is named in the message, which goes with another choice."""
    upload(app, kind, name, data)
    assert name in the_message(app)
    app.selectbox(kind).set_value(then)
    settle(app)
    assert not app.error


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("pickle.safetensors", pickled()),
        ("picture.png", png(28, 28)),
    ],
)
def test_a_broken_generator_is_said_and_another_one_helps(
    monkeypatch: pytest.MonkeyPatch, page: str, name: str, data: bytes
) -> None:
    check_recovery(opened_at(monkeypatch, page), "generator", name, data, then="eights-10")


@pytest.mark.parametrize("page", WITH_IMAGES)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("notes.png", b"no picture"),
        ("pickle.npy", pickled()),
    ],
)
def test_a_file_without_images_is_said_and_others_help(
    monkeypatch: pytest.MonkeyPatch, page: str, name: str, data: bytes
) -> None:
    check_recovery(opened_at(monkeypatch, page), "images", name, data, then="eights")


@pytest.mark.parametrize("page", ["restore", "uncertainty", "watch", "compare"])
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("small.png", png(10, 10)),
        ("cut.png", png(28, 28)[:40]),
    ],
)
def test_a_bad_mask_is_said_and_another_damage_helps(
    monkeypatch: pytest.MonkeyPatch, page: str, name: str, data: bytes
) -> None:
    app = opened_at(monkeypatch, page)
    choose(app, "damage", "file")
    app.file_uploader("uploaded mask").set_value((name, data, "application/octet-stream"))
    settle(app)
    assert name in the_message(app)
    choose(app, "damage", "columns")
    assert not app.error


def test_a_sweep_of_nothing_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    app = opened_at(monkeypatch, "sweep")
    app.multiselect("keeps").set_value([])
    settle(app)
    assert "at least one N" in texts(app)
    assert not app.error
    assert not any(button.key == "run" for button in app.button)


def test_rounds_that_do_not_contain_one_another_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = opened_at(monkeypatch, "sweep", rounds="2", screen="9", restarts="16")
    app.button("run").click()
    settle(app)
    assert "rounds" in the_message(app)
    app.number_input("rounds").set_value(1)
    settle(app)
    assert not app.error
    app.button("run").click()
    settle(app)
    assert "**Swept N =" in texts(app)


@pytest.mark.parametrize("page", WITH_IMAGES)
def test_a_generator_of_small_images_does_not_fit_the_bundled_ones(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, page: str
) -> None:
    app = opened_at(monkeypatch, page)
    before = len(tables(app))
    upload(app, "generator", "small.mat", small_generator(tmp_path))
    if not app.error:
        app.button("run").click()
        settle(app)
    assert "choose a generator of that shape" in the_message(app)
    assert len(tables(app)) == before
    assert all(column.children for column in app.columns), "room is kept for nothing"
