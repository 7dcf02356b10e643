"""Watch: the search for one image, step by step."""

import streamlit as st
from components import player
from parts.follow import ask_and_restore
from work.restore import Result

from inpaint.plots.comparison import CAPTIONS
from inpaint.plots.film import to_gif
from inpaint.search.replay import Replay, replay

# Every iterate is kept in memory, and nobody watches a longer film.
MOST_STEPS = 5000


def main() -> None:
    """Form, run, film."""
    st.header("Watch", anchor=False)
    st.caption(
        "How does the search find the image? One restart is followed from its random start down "
        "to where it ends."
    )
    shown = ask_and_restore()
    if shown is not None:
        draw(shown)


def draw(shown: Result) -> None:
    """Choose image and restart, and play."""
    rows = shown.comparison.rows
    with st.container(horizontal=True, gap="medium"):
        numbers = [row.label for row in rows]
        chosen = st.segmented_control(
            "Image", numbers, default=numbers[0], required=True, key="film of"
        )
        image = numbers.index(chosen) if chosen in numbers else 0
        restart = ask_restart(shown, image)
    steps = int(shown.search.evaluations[image, restart])
    if not 0 < steps <= MOST_STEPS:
        st.info(
            f"This restart took {steps:,} steps; films are made of 1 to {MOST_STEPS:,}. Choose "
            "fewer steps in the solver settings.",
            icon=":material/info:",
        )
        return
    token = f"{id(shown)} {image} {restart}"
    film = find_film(shown, image, restart, token)
    player.show(film, rows[image], token=token, key="player")
    st.caption(
        f"{CAPTIONS['Difference']} Corrupted: {CAPTIONS['Corrupted']} A step of the search is one "
        "gradient."
    )
    st.download_button(
        "Film (GIF)",
        lambda: to_gif(film, rows[image]),
        f"descent-{rows[image].number}.gif",
        "image/gif",
        icon=":material/download:",
        on_click="ignore",
    )


def ask_restart(shown: Result, image: int) -> int:
    """Which restart: the best one, the one that ended highest, or any by its number."""
    costs = shown.search.costs[image].tolist()
    finite = [place for place, cost in enumerate(costs) if cost < float("inf")]
    best = int(shown.search.best[image])
    named = {"The best": best}
    if len(costs) > 1:
        named["The worst"] = max(finite or [best], key=lambda place: costs[place])
        named["By number"] = -1
    choice = st.segmented_control(
        "Restart", list(named), default="The best", required=True, key="restart"
    )
    place = named.get(str(choice), best)
    if place < 0:
        last = int(shown.search.evaluations[image].nonzero().max())
        place = int(
            st.number_input("Its number", 0, last, min(best, last), key="restart number", width=140)
        )
    return place


def find_film(shown: Result, image: int, restart: int, token: str) -> Replay:
    """The film; it is computed again only if another one is asked for."""
    kept = st.session_state.get("film")
    if kept is None or kept[0] != token:
        problem = shown.problem
        film = replay(
            problem.measurement,
            problem.generator,
            shown.search,
            image=image,
            restart=restart,
        )
        st.session_state["film"] = kept = (token, film)
    film_kept: Replay = kept[1]
    return film_kept


main()
