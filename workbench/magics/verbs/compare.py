"""x"""

from workbench.magics.grammar import Verb

VERB = Verb(
    "compare", "x", run=lambda a, b: None, words=("model", "file"), required=2, flags=("--model", "--into")
)
