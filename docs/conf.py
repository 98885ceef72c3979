"""How Sphinx builds the site from this folder: `make docs`."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pygments.lexers import TextLexer
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parents[1]))


class Stub(type):
    """A class of a library that is not imported. Its attributes are stubs too, and as a
    decorator it changes nothing."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Stub(name, (), {})

    def __call__(cls, *args: Any, **_: Any) -> Any:
        return args[0] if args and callable(args[0]) else lambda decorated: decorated


# Keras takes ten seconds to import, and this module alone imports it. Sphinx's own mock
# objects do not support annotations such as `keras.Model | None`.
sys.modules["pipeline.network.backend"] = SimpleNamespace(
    keras=Stub("keras", (), {}), tf=Stub("tensorflow", (), {})
)

project = "Dense regression pipeline"
html_title = "Dense regression"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"header_links_before_dropdown": 6}
html_sidebars = {"**": []}
html_show_sourcelink = False
myst_heading_anchors = 3
# A test executes the notebook, whose outputs are in its file.
nb_execution_mode = "off"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 80


def setup(app: Sphinx) -> None:
    # GitHub draws it. Here it stays text: the libraries that draw it load from the network.
    app.add_lexer("mermaid", TextLexer)
