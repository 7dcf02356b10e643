"""Without a browser: where the images come from, and what is lost of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forms import mask_files
from PIL import Image
from streamlit.testing.v1 import AppTest

from inpaint import ImageSet, Mask
from inpaint.files.reading import read_images
from tests.dashboard.helpers import choose, command, group, new_app, opened, settle, tables, texts


def test_a_pattern_is_lost(app: AppTest) -> None:
    choose(app, "damage", "pattern")
    assert "N = 684 of 784 pixels observed" in texts(app)
    app.selectbox("pattern").set_value("strokes")
    settle(app)
    assert app.number_input("pattern_number").value == 3, "a number that suits the pattern"
    app.number_input("pattern_seed").set_value(7)
    settle(app)
    assert "--mask strokes:3:7" in command(app)
    assert "inpaint.measure(images, 'strokes:3:7')" in app.code[1].value
    before = tables(app)[0]
    app.selectbox("pattern").set_value("box")
    settle(app)
    app.number_input("pattern_number").set_value(40.0)
    settle(app)
    assert "box:40" in app.error[0].value
    assert not app.exception
    assert len(tables(app)[0]) == len(before)


def mask_file(observed: np.ndarray, ending: str = ".png") -> bytes:
    buffer = io.BytesIO()
    if ending == ".npy":
        np.save(buffer, observed)
    else:
        Image.fromarray(np.where(observed, 255, 0).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_mask_is_uploaded(app: AppTest) -> None:
    observed = np.ones((28, 28), bool)
    observed[10:20, 5:15] = False
    choose(app, "damage", "file")
    assert "the result will appear here" in texts(app)
    app.file_uploader("uploaded mask").set_value(("hole.png", mask_file(observed), "image/png"))
    settle(app)
    assert "N = 684 of 784 pixels observed" in texts(app)
    assert "--mask hole.png" in command(app)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("small.png", mask_file(np.ones((5, 5), bool)), "shape"),
        ("all.npy", mask_file(np.zeros((28, 28), bool), ".npy"), "observes no pixel"),
        ("mask.png", b"no picture", "not a readable picture"),
        ("mask.txt", b"10101", "no ending that names a mask's format"),
        ("white.png", mask_file(np.ones((28, 28), bool)), "white.png loses nothing"),
        ("mask.npy", b"", "empty"),
    ],
)
def test_a_bad_mask_is_said_and_leaves_the_result(
    app: AppTest, name: str, data: bytes, message: str
) -> None:
    before = tables(app)[0]
    choose(app, "damage", "file")
    app.file_uploader("uploaded mask").set_value((name, data, "application/octet-stream"))
    settle(app)
    assert message in app.error[0].value
    assert "/tmp" not in app.error[0].value
    assert tables(app)[0].equals(before)


def test_what_is_white_in_a_mask_file_is_chosen(
    app: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strokes = np.zeros((28, 28), bool)
    strokes[8:20, 8:20] = True
    (tmp_path / "strokes.png").write_bytes(mask_file(strokes))
    choose(app, "damage", "file")
    data = mask_file(strokes)
    app.file_uploader("uploaded mask").set_value(("strokes.png", data, "image/png"))
    settle(app)
    assert "white is observed; 144 of 784 pixels observed; red is lost" in texts(app)
    assert "N = 144 of 784 pixels observed" in texts(app)
    assert "--mask-white" not in command(app)
    choose(app, "mask_white", "lost")
    assert "white is lost; 640 of 784 pixels observed" in texts(app)
    assert "N = 640 of 784 pixels observed" in texts(app)
    assert "--mask strokes.png --mask-white lost" in command(app)
    page = app.session_state["restore result"]
    assert page.problem.notes[-1] == "strokes.png: white is lost"
    program = app.code[1].value
    assert "inpaint.read_mask('strokes.png', generator.image_shape, white='lost')" in program
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(program, found)
    assert found["result"].costs.tolist() == [row.cost for row in page.comparison.rows]
    choose(app, "damage", "columns")
    assert "--mask-white" not in command(app)


def test_the_masks_of_the_chosen_images_are_uploaded(app: AppTest) -> None:
    masks = np.ones((4, 28, 28), bool)
    for number in range(4):
        masks[number, : 5 + number] = False
    app.text_input("numbers").set_value("3,1")
    choose(app, "damage", "file")
    for name, held, message in (("few.npy", masks[:3], "of which 3, 1"), ("all.npy", masks, "")):
        data = mask_file(held, ".npy")
        app.file_uploader("uploaded mask").set_value((name, data, "application/x-npy"))
        settle(app)
        assert message in (app.error[0].value if app.error else "")
    measured = app.session_state["restore result"].problem.measurement
    assert measured.numbers == (3, 1)
    assert np.array_equal(measured.operator.observed[:, 0].numpy(), masks[[3, 1]])
    assert "N = 560 to 616 of 784 pixels observed" in texts(app)
    command(app)
    assert (
        "inpaint.read_mask('all.npy', generator.image_shape, numbers=(3, 1))" in app.code[1].value
    )


def test_what_is_lost_is_red_on_the_images() -> None:
    images = ImageSet(torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1).expand(2, 3, 4, 5))
    observed = torch.ones(3, 4, 5, dtype=torch.bool)
    observed[1, 2:] = False
    picture = mask_files._over_lost(images, Mask(observed))
    scale = picture.shape[0] // 4
    small = picture[::scale, ::scale]
    assert small.shape == (4, 10, 3)
    assert (small[:2, :5] == 0).all()
    assert (small[:2, 5:] == 255).all()
    red, green, blue = small[2:].transpose(2, 0, 1).astype(int)
    assert (red > green + 80).all(), "lost pixels of ink and of paper alike"
    assert (red > blue + 80).all()


def test_a_painted_mask_is_used_kept_and_shared(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(app, "damage", "paint")
    assert "N = 684 of 784 pixels observed" in texts(app), "painting begins with a box"
    assert "--mask mask.png" in command(app)
    assert [b.label for b in app.download_button if b.label == "mask.png"] == ["mask.png"]
    app.button("keep mask").click().run()
    app.selectbox("begin with").set_value("left").run()
    app.button("use mask").click()
    settle(app)
    assert "N = 392 of 784 pixels observed" in texts(app)
    app.selectbox("begin with").set_value("mask 1").run()
    app.button("use mask").click()
    settle(app)
    assert "N = 684 of 784 pixels observed" in texts(app)

    other = new_app(monkeypatch)
    other.query_params |= {"damage": "Paint", "painted": app.query_params["painted"][0]}
    settle(other)
    assert "N = 684 of 784 pixels observed" in texts(other)
    before = app.session_state["restore result"].search
    after = other.session_state["restore result"].search
    assert before.costs.tolist() == after.costs.tolist()


@pytest.mark.parametrize("painted", ["", "AAAA", "not base64!", "A" * 131, "_" * 131])
def test_a_link_with_a_bad_mask_says_so_or_begins_with_the_box(
    monkeypatch: pytest.MonkeyPatch, painted: str
) -> None:
    app = new_app(monkeypatch)
    app.query_params |= {"damage": "Paint", "painted": painted}
    settle(app)
    if len(painted) == 131:
        says = {"A": "observes no pixel", "_": "loses nothing"}[painted[0]]
        assert says in app.error[0].value
    else:
        assert "N = 684 of 784 pixels observed" in texts(app)


def test_images_are_simulated_with_known_truth(app: AppTest, tmp_path: Path) -> None:
    app.selectbox("images").set_value("simulate")
    settle(app)
    assert app.slider("noise").value == 0.1
    assert max(tables(app)[0]["Error"]) < 5
    assert "inpaint restore simulated.npz" in command(app)
    result = app.session_state["restore result"]
    (tmp_path / "simulated.npz").write_bytes(result.request.images.made())
    again = read_images(tmp_path / "simulated.npz")
    assert torch.equal(again.images, result.request.images.content.images)
    app.number_input("truth").set_value(5)
    settle(app)
    assert app.session_state["restore result"].request.images != result.request.images


def test_a_drawing_is_awaited_and_restored(app: AppTest) -> None:
    turn = np.linspace(0, 2 * np.pi, 60)
    eight = np.stack([140 + 60 * np.sin(2 * turn), 140 - 110 * np.cos(turn)], axis=1)
    app.selectbox("images").set_value("draw")
    settle(app)
    assert "the result will appear here" in texts(app)
    app.session_state["pad kept"] = [eight.tolist()]
    settle(app)
    assert "Restored 1 image" in texts(app)
    assert "inpaint restore drawn.npz" in command(app)
    app.session_state["pad kept"] = [[[float("nan"), 1.0]]]
    settle(app)
    assert "draw with 1 to 5000" in app.error[0].value
    app.session_state["pad kept"] = "nonsense"
    settle(app)
    assert not app.error


@pytest.mark.parametrize(
    ("kind", "option", "title"),
    [
        ("block-average", "--operator block-average:4", "M = 49 averages of 4x4 pixels"),
        ("blur", "--operator blur:1", "784 pixels observed, blurred"),
    ],
)
def test_values_that_are_no_pixels_are_observed_and_judged(
    app: AppTest, kind: str, option: str, title: str
) -> None:
    app.number_input("restarts").set_value(4)
    app.selectbox("observed").set_value(kind)
    settle(app)
    assert title in texts(app)
    assert option in command(app)
    assert group(app, "damage").options[0] == "Nothing"
    opened(app, "verdicts")
    assert "**Image 0.**" in texts(app)
    choose(app, "damage", "paint")
    assert "--mask mask.png" in command(app)
    app.switch_page("views/watch.py")
    settle(app)
    assert app.session_state["film"]


def test_a_matrix_is_uploaded(app: AppTest, tmp_path: Path) -> None:
    app.number_input("restarts").set_value(3)
    app.selectbox("observed").set_value("matrix")
    settle(app)
    assert "the result will appear here" in texts(app)
    rng = np.random.default_rng(0)
    for size, message in ((100, "shape"), (784, None)):
        np.save(tmp_path / "T.npy", rng.normal(size=(60, size)) / 28)
        data = (tmp_path / "T.npy").read_bytes()
        app.file_uploader("uploaded operator").set_value(("T.npy", data, "application/x-npy"))
        settle(app)
        if message:
            assert "T.npy" in app.error[0].value
    assert not app.error
    assert "--operator T.npy" in command(app)
    assert "M = 60" in texts(app)
