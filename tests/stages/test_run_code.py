"""What is said of blocks that a run kept from other code."""

from plumbline.stages.run_code import KeptBlocks, kept_text


def test_kept_blocks_are_counted_by_node():
    kept = [KeptBlocks("signal:a", 10, ("why",)), KeptBlocks("signal:b", 1, ("why",))]
    assert kept_text(kept) == "11 blocks were kept from other code: signal:a (10), signal:b (1)"
    assert kept_text(kept[1:]) == "1 block was kept from other code: signal:b (1)"
