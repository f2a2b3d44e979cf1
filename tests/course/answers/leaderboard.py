"""Answers to the exercise of the leaderboard."""

import making
from cases import Case


def another_board():
    return making.receipt(board="another")


def said_smaller():
    return making.receipt(said={"bytes": 10})


def worse_inside():
    return making.receipt(file=making.text(making.version("PruneWeights(0.99)").packed), said={"bytes": 10})


def too_bad():
    bad = making.version("PruneWeights(0.99)").packed
    return making.receipt(file=making.text(bad), said={"bytes": len(bad)})


CASES = {
    "leaderboard": Case(
        right=lambda: making.receipt(),
        wrong=[
            (another_board, "another leaderboard"),
            (said_smaller, "changed"),
            (worse_inside, "changed"),
            (too_bad, "asked for"),
            ("receipt-nobody.json", "no file"),
            ("receipt.txt", "ends in .json"),
            (3, "name of a file"),
        ],
    )
}
