"""The dashboard: `streamlit run dashboard/app.py`. Navigation only."""

from pathlib import Path

import streamlit as st

HERE = Path(__file__).parent

st.set_page_config(
    page_title="inpaint",
    page_icon=str(HERE / "icon.png"),
    layout="wide",
    initial_sidebar_state=290,
)
st.html(HERE / "style.css")

# Not in a folder called pages/: Streamlit would serve its files before this one has run.
page = st.navigation(
    [
        st.Page("views/restore.py", title="Restore", icon=":material/healing:", default=True),
        st.Page("views/sweep.py", title="Sweep", icon=":material/stacked_line_chart:"),
        st.Page("views/uncertainty.py", title="Uncertainty", icon=":material/blur_on:"),
        st.Page("views/watch.py", title="Watch", icon=":material/movie:"),
        st.Page("views/compare.py", title="Compare", icon=":material/compare:"),
        st.Page("views/generator.py", title="Generator", icon=":material/grid_view:"),
        st.Page("views/speed.py", title="Speed", icon=":material/speed:"),
    ],
    position="top",
)
page.run()
