"""Every pair of hashes: against the enumerated pairs, and intervals against a simulation."""

import numpy as np
import pandas as pd
import pytest

from simlab import evaluation


def hashes_of(n=12, variants=3, bits=64, seed=0, turned=0.1, spread=4.0):
    """Hashes of n originals with a bias of their own, and of their variants."""
    rng = np.random.default_rng(seed)
    originals = rng.random((n, bits)) < rng.beta(spread, spread, (n, 1))
    copies = np.repeat(originals, variants, axis=0) ^ (rng.random((n * variants, bits)) < turned)
    return originals, copies, np.arange(n), np.repeat(np.arange(n), variants)


@pytest.mark.parametrize("bits", [16, 64, 100, 256])
def test_equals_the_enumerated_pairs(bits):
    originals, copies, first, second = hashes_of(bits=bits)
    order = np.random.default_rng(1).permutation(len(copies))
    table = evaluation.exhaustive_histogram(originals, copies[order], first, second[order])
    i, j = (side.ravel() for side in np.indices((len(originals), len(copies))))
    scores = pd.DataFrame({"label": (first[i] == second[j]).astype(int), "no_evidence": ""})
    scores = scores.assign(source_reference=first[i], source_query=second[j])
    scores["hash"] = (originals[i] != copies[j]).sum(axis=1).astype(float)
    roc = evaluation.roc_curve(scores)
    met = table.iloc[roc["threshold"].astype(int)]
    assert met["tpr"].to_numpy() == pytest.approx(roc["tpr"].to_numpy())
    assert met["fpr"].to_numpy() == pytest.approx(roc["fpr"].to_numpy())
    assert (table["n_positive"][0], table["n_negative"][0]) == (
        roc["n_positive"][0],
        roc["n_negative"][0],
    )
    assert len(table) == bits + 1


def test_names_of_sources_do_not_matter():
    originals, copies, first, second = hashes_of()
    plain = evaluation.exhaustive_histogram(originals, copies, first, second)
    named = evaluation.exhaustive_histogram(
        originals, copies, [f"花{9 - i}" for i in first], [f"花{9 - i}" for i in second]
    )
    pd.testing.assert_frame_equal(plain, named)


def test_rates_lie_in_their_intervals_and_zero_has_a_bound():
    table = evaluation.exhaustive_histogram(*hashes_of(n=60))
    for name in ("tpr", "fpr"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    none = table[table["fpr"] == 0]
    assert (none["fpr_high"] > 1 / table["n_negative"][0]).all()
    assert (none["fpr_high"] < 0.02).all()


def test_intervals_cover_the_truth():
    def rates(seed, n=40):
        table = evaluation.exhaustive_histogram(*hashes_of(n=n, seed=seed, spread=3.0))
        return table.loc[[22, 26], ["fpr", "fpr_low", "fpr_high"]].to_numpy()

    truth = np.mean([rates(1000 + seed, n=100)[:, 0] for seed in range(30)], axis=0)
    found = np.array([rates(seed) for seed in range(80)])
    covered = ((found[..., 1] <= truth) & (truth <= found[..., 2])).mean(axis=0)
    assert (covered >= 0.86).all()  # .95 expected of 80


def test_one_side_without_partners_and_no_hashes_at_all():
    originals, copies, first, second = hashes_of()
    table = evaluation.exhaustive_histogram(originals[:4], copies, first[:4], second)
    assert table["n_copies"].sum() == 12
    nothing = evaluation.exhaustive_histogram(originals, copies[:0], first, second[:0])
    assert nothing[["n_copies", "n_others"]].sum().tolist() == [0, 0]


def test_hashes_must_match():
    originals, copies, first, second = hashes_of()
    with pytest.raises(ValueError, match="one length and one source each"):
        evaluation.exhaustive_histogram(originals[:, :8], copies, first, second)
    with pytest.raises(ValueError, match="one length and one source each"):
        evaluation.exhaustive_histogram(originals, copies, first, second[1:])


def test_intervals_are_no_wider_than_needed_where_sources_have_no_effect():
    kinds = {"n": 40, "variants": 1, "spread": 1e6}
    tables = [evaluation.exhaustive_histogram(*hashes_of(seed=seed, **kinds)) for seed in range(80)]
    rate, low, high = np.array(
        [table.loc[26, ["fpr", "fpr_low", "fpr_high"]] for table in tables]
    ).T
    needed = 2 * 1.96 * rate.std()
    assert (
        0.9 < (high - low).mean() / needed < 1.35
    )  # 1.5 if a pair's own noise counted with both of its sources
