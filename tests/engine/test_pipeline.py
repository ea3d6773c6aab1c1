import pytest

from plumbline.core.errors import RecipeError
from plumbline.engine.pipeline import Node, Pipeline
from tests.engine.toys import Demean, Prices, Returns, Summary, Wealth


def test_nodes_are_ordered_producers_first() -> None:
    nodes = (
        Node("wealth", Wealth(), {"returns": "returns"}),
        Node("returns", Returns(), {"prices": "prices"}),
        Node("prices", Prices()),
    )
    assert [n.name for n in Pipeline("p", nodes).nodes] == ["prices", "returns", "wealth"]


def test_all_problems_are_named_at_once_with_the_nearest_names() -> None:
    nodes = (
        Node("prices", Prices()),
        Node("prices", Prices(seed=2)),
        Node("returns", Returns(), {"prces": "prices"}),
        Node("demeaned", Demean(), {"returns": "retruns"}),
        Node("summary", Summary(), {"returns": "returns"}),
    )
    with pytest.raises(RecipeError) as caught:
        Pipeline("study", nodes, on_code_change="forget")
    assert caught.value.problems == (
        "two nodes named 'prices'",
        "on_code_change='forget' must be recompute or keep",
        "node 'returns' lacks its input 'prices'",
        "node 'returns' has no input 'prces'; did you mean 'prices'?",
        "node 'demeaned' reads the unknown node 'retruns'; did you mean 'returns'?",
        "node 'summary' lacks its input 'wealth'",
    )
    assert "pipeline 'study': 6 problems" in str(caught.value)


def test_nodes_that_read_each_other_in_a_circle_are_refused_with_the_circle() -> None:
    nodes = (
        Node("a", Demean(), {"returns": "b"}),
        Node("b", Demean(), {"returns": "c"}),
        Node("c", Demean(), {"returns": "a"}),
    )
    with pytest.raises(RecipeError, match=r"in a circle: . -> . -> . -> ."):
        Pipeline("p", nodes)
    with pytest.raises(RecipeError, match="in a circle: a -> a"):
        Pipeline("p", (Node("a", Demean(), {"returns": "a"}),))
