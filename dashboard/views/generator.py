"""Generator: the images that it can make, and where it came from."""

from collections.abc import Callable
from functools import partial

import streamlit as st
from forms import sources
from forms.fields import show_error
from parts.elements import Picture, draw_pictures
from parts.losses import draw_losses

from inpaint.errors import InpaintError
from inpaint.generators import Generator, pretrained, samples
from inpaint.plots import sheet
from inpaint.plots.columns import plot_samples, to_png
from inpaint.studies.samples import FIGURES, read_card

SAMPLES = 100
WALK_STEPS = 11
# Most sliders of a latent vector; the other numbers stay as they were drawn.
MOST_SLIDERS = 20
REACH = 3.0


def main() -> None:
    """Samples, one image by hand, a walk, the model card."""
    st.header("Generator", anchor=False)
    st.caption(
        "Which images can be found at all? A restoration is always one of the images that the "
        "generator makes of some latent vector."
    )
    source = sources.ask_generator()
    if source is None:
        return
    generator = source.content
    shows: dict[str, Callable[[Generator], None]] = {
        "Samples": show_samples,
        "By hand": show_by_hand,
        "Walk": show_walk,
        "Model card": partial(show_card, source.name),
        "Training": draw_losses,
    }
    tabs = st.tabs(list(shows), key="show", on_change="rerun")
    for tab, show in zip(tabs, shows.values(), strict=True):
        if tab.open:
            with tab:
                try:
                    show(generator)
                except InpaintError as error:
                    show_error(error)


def show_samples(generator: Generator) -> None:
    """A grid of images of random latent vectors."""
    seed = ask_seed("Seed of the samples", "samples", 0)
    images = samples.sample_images(generator, SAMPLES, seed=seed)
    picture("samples", sheet.grid(images, columns=10, scale=3, gap=3), f"{SAMPLES} samples")
    st.caption(f"{SAMPLES} latent vectors drawn at random, and what the generator makes of them.")
    st.download_button(
        "Figure (PNG)",
        lambda: to_png(plot_samples(images, title=f"{SAMPLES} samples of {generator.name}")),
        "samples.png",
        "image/png",
        icon=":material/download:",
        on_click="ignore",
    )
    show_figures(generator)


def show_figures(generator: Generator) -> None:
    """How near its samples are to real images, as measured after its training."""
    st.subheader("How well does it draw?", anchor=False)
    entries = read_card(generator.card)
    if not entries:
        st.markdown(
            "This generator's file holds no figures. With real images that it was not trained on, "
            "this measures them; `inpaint train` does so by itself:"
        )
        st.code(
            "inpaint evaluate IMAGES --labels LABELS --samples --generator FILE", language="bash"
        )
        return
    rows = [
        {"figure": each.title, "samples": entries.get(each.title, ""), "what it says": each.meaning}
        for each in FIGURES
    ]
    with st.container(key="figures"):
        st.table(rows, hide_index=True)
    st.caption(f"Measured: {entries.get('measured', 'when is not said')}.")


def show_by_hand(generator: Generator) -> None:
    """A slider for each latent number, and the image next to them."""
    size = generator.latent_size
    vector = draw(generator, st.session_state.get("vector", 0))
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.button(
            "Another vector",
            on_click=draw_another,
            args=(generator,),
            icon=":material/casino:",
            key="another",
        )
        cells = st.columns(2, gap="medium")
        for index in range(min(size, MOST_SLIDERS)):
            vector[index] = cells[index % 2].slider(
                f"z{index + 1}",
                -REACH,
                REACH,
                round(vector[index], 2),
                0.01,
                key=f"latent {index}",
                persist_state="session",
            )
    with right:
        image = samples.draw_vectors(generator, [vector])
        picture("hand", sheet.grid(image, scale=10, gap=4), "The image of this latent vector")
        st.caption(
            "The image of this latent vector. Each number is drawn from a standard normal "
            "distribution, so most lie between -2 and 2."
        )


def show_walk(generator: Generator) -> None:
    """The images on the way from one latent vector to another."""
    left, right = st.columns(2)
    with left:
        start = draw(generator, ask_seed("From the vector of seed", "walk from", 1))
    with right:
        end = draw(generator, ask_seed("To the vector of seed", "walk to", 2))
    images = samples.walk(generator, start, end, steps=WALK_STEPS)
    picture("walk", sheet.strip(images, scale=4, gap=3), "Images on the way")
    st.caption(
        "A straight way through the latent space in equal steps. Neighbours look alike: that is "
        "why following the gradient of the cost leads somewhere."
    )


def show_card(name: str, generator: Generator) -> None:
    """What is known about the generator."""
    sizes = [generator.latent_size, *(len(layer.bias) for layer in generator.layers)]
    st.markdown(f"**Layers:** {' → '.join(map(str, sizes))}, images of {shape(generator)}")
    if name in pretrained.pretrained_names():
        with st.container(key="card"):
            st.markdown(pretrained.model_card(name))
    elif generator.card:
        st.table(dict(generator.card))
    else:
        st.markdown("The file says nothing about how this generator was trained.")


def shape(generator: Generator) -> str:
    """The image's size in words."""
    channels, height, width = generator.image_shape
    return f"{height} x {width} pixels" + (f", {channels} channels" if channels > 1 else "")


def ask_seed(label: str, key: str, usual: int) -> int:
    """A seed."""
    return st.number_input(
        label, 0, value=usual, step=1, key=key, width=220, persist_state="session"
    )


def draw(generator: Generator, seed: int) -> list[float]:
    """A random latent vector within the range of the sliders."""
    vector = samples.sample_vector(generator, seed=seed)
    return [max(-REACH, min(REACH, number)) for number in vector]


def draw_another(generator: Generator) -> None:
    """Set all sliders to the next random vector."""
    st.session_state["vector"] = st.session_state.get("vector", 0) + 1
    vector = draw(generator, st.session_state["vector"])
    for index, number in enumerate(vector[:MOST_SLIDERS]):
        st.session_state[f"latent {index}"] = round(number, 2)


def picture(key: str, pixels: sheet.Pixels, alt: str) -> None:
    """A picture with sharp pixels."""
    draw_pictures([Picture.of_pixels(pixels, alt)], key=f"sheet {key}")


main()
