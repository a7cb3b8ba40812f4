"""Recipes: every experiment can be built at every tier, every knob is explained, every published cell has its maker."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from configs import configs, everything, own_read_outs
from torch import Generator

import skelkit
from skelkit import store
from skelkit.augment import CropResize
from skelkit.data.skeleton import KINECT_V2
from skelkit.data.views import DataSpec, Resample, Whole
from skelkit.evaluate.knn import KNN
from skelkit.evaluate.linear import AugmentedLinear, Linear
from skelkit.evaluate.logistic import Logistic
from skelkit.files import SkelkitError
from skelkit.methods import build
from skelkit.models.gru import BiGRU
from skelkit.models.no_network import NoNetwork
from skelkit.models.representations import Representations
from skelkit.recipes import (
    PAPERS,
    ascal,
    ascal_settings,
    at_tier,
    byol_settings,
    experiment,
    interskeleton,
    interskeleton_settings,
    longt_gan,
    longt_gan_settings,
    places,
    sesar_settings,
    tiers,
)
from skelkit.recipes.experiment import Evaluation, Experiment, OwnClassifier, Tier, Weights
from skelkit.recipes.quickstart import quickstart
from skelkit.report import published
from skelkit.report.results import NO_NETWORK, RANDOM, SHUFFLED, Row
from skelkit.train import Steps

EVERY_TABLE = [(paper, table) for paper, recipe in PAPERS.items() for table in recipe.TABLES]
every_table = pytest.mark.parametrize(("paper", "table"), EVERY_TABLE)


@cache
def kinds() -> dict[Evaluation, Experiment]:
    """One experiment of each kind: those that differ by more than seed, fold, split and cell."""
    found: dict[Evaluation, Experiment] = {}
    for e in (e for e in everything() if e.tier == "paper"):
        weights = e.evaluation.weights
        plain = dataclasses.replace(
            weights,
            seed=0,
            data=dataclasses.replace(weights.data, fold=None, split="xsub"),
            start=weights.start
            and dataclasses.replace(
                weights.start, seed=0, data=dataclasses.replace(weights.start.data, fold=None, split="xsub")
            ),
        )
        found.setdefault(dataclasses.replace(e.evaluation, weights=plain), e)
    return found


@cache
def kinds_at(tier: Tier) -> list[tuple[Experiment, Experiment]]:
    """One experiment of each kind, and the same at a tier."""
    return [(e, at_tier(e, tier)) for e in kinds().values()]


# ── one dialect ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("paper", PAPERS)
def test_every_recipe_has_the_same_names_in_the_same_order(paper: str) -> None:
    names = ("PAPERS_OWN", "OURS", "TABLES", "comparison", "extensions", "everything")
    assert tuple(name for name in vars(PAPERS[paper]) if name in names) == names


@pytest.mark.parametrize("paper", PAPERS)
def test_every_function_of_a_recipe_that_is_called_as_a_table_is_among_its_tables(paper: str) -> None:
    functions = inspect.getmembers(PAPERS[paper], inspect.isfunction)
    made = {f for name, f in functions if name.startswith(("table", "figure"))}
    assert made <= set(PAPERS[paper].TABLES.values())


@every_table
@pytest.mark.parametrize("tier", get_args(Tier))
def test_every_table_builds_at_every_tier_under_its_own_name(paper: str, table: str, tier: Tier) -> None:
    experiments = PAPERS[paper].TABLES[table](tier=tier, seeds=1)
    assert {(e.tier, e.cell.paper, e.cell.table) for e in experiments} == {(tier, paper, table)}
    assert all(len(store.key(e.evaluation)) == 32 for e in experiments[::17])


@every_table
def test_every_table_can_be_asked_of_another_data_set_by_its_name(paper: str, table: str) -> None:
    experiments = PAPERS[paper].comparison(table, "mine", tier="small", seeds=1)
    assert {e.evaluation.weights.data.name for e in experiments} == {"mine"}


@every_table
def test_an_unknown_option_of_a_table_raises(paper: str, table: str) -> None:
    with pytest.raises(TypeError, match="no_such_option"):
        PAPERS[paper].TABLES[table](no_such_option=1)


@pytest.mark.parametrize("paper", PAPERS)
def test_a_table_that_a_paper_does_not_have_is_refused(paper: str) -> None:
    with pytest.raises(SkelkitError, match="no experiments make 'Table M'; choose one of "):
        PAPERS[paper].comparison("Table M", "sbu")


@pytest.mark.parametrize("paper", PAPERS)
def test_every_paper_asks_frozen_encoders_that_it_compares_once_more_with_shuffled_labels(paper: str) -> None:
    """The encoders that learn nothing among them; each is an experiment of a table but for its labels."""
    extensions = PAPERS[paper].extensions()
    checks = [e for e in extensions if e.cell.table == SHUFFLED]
    plain = [e for e in extensions if e.cell.table != SHUFFLED]
    assert {NO_NETWORK, RANDOM} < {e.cell.row for e in checks}
    assert len({e.cell.row for e in checks}) > 3
    assert all(e.evaluation.shuffled for e in checks)
    assert not any(e.evaluation.shuffled for e in plain)
    for e in checks:
        cell = dataclasses.replace(e.cell, table="", column=e.cell.column.removesuffix(", shuffled"))
        twins = [p.evaluation for p in plain if dataclasses.replace(p.cell, table="") == cell]
        assert dataclasses.replace(e.evaluation, shuffled=False) in twins


def test_only_a_classifier_on_frozen_features_is_asked_with_shuffled_labels() -> None:
    """Linear evaluation and the nearest neighbour; neither a network's own classifier nor logistic regression."""
    found = longt_gan.table2("hdm05_11", tier="reduced")[: 4 * 2 + 3]
    frozen = [e for e in found if isinstance(e.evaluation.protocol, Linear)]
    assert [e.cell.row for e in frozen] == ["U: Ours", "U: Autoencoder", RANDOM, NO_NETWORK]
    rest = Counter(type(e.evaluation.protocol) for e in found if e not in frozen)
    assert rest == {Logistic: 4, OwnClassifier: 3}
    again = [(e.cell.row, e.evaluation.protocol) for e in places.shuffled(found)]
    assert again == [(e.cell.row, e.evaluation.protocol) for e in frozen]


# ── tiers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("tier", get_args(Tier))
def test_the_quickstart_builds_at_every_tier(tier: Tier) -> None:
    assert {e.tier for e in quickstart(tier)} == {tier}


def differences(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """The names of the fields in which two dataclasses differ."""
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        for field in dataclasses.fields(one):
            yield from differences(getattr(one, field.name), getattr(other, field.name), field.name)
    elif isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        for a, b in zip(one, other, strict=True):
            yield from differences(a, b, name)
    elif one != other:
        yield name


def test_tiers_differ_in_exactly_the_fields_of_the_allow_list() -> None:
    found = {
        name
        for tier in get_args(Tier)
        for e, shorter in kinds_at(tier)
        for name in differences(e.evaluation, shorter.evaluation)
    }
    whole = (e for e in everything() if e.tier == "paper")
    found |= {name for e in whole for name in differences(e.evaluation, at_tier(e, "smoke").evaluation)}
    assert found == tiers.CHANGES


def test_a_tier_changes_neither_cell_nor_variant() -> None:
    for tier in get_args(Tier):
        for e, shorter in kinds_at(tier):
            assert (shorter.cell, shorter.variant, shorter.tier) == (e.cell, e.variant, tier)


def test_the_tier_paper_changes_nothing() -> None:
    assert all(at_tier(e, "paper") is e for e in everything())


def test_an_unknown_tier_is_refused() -> None:
    with pytest.raises(SkelkitError, match="unknown tier 'huge'; choose one of smoke, small, reduced, paper"):
        inspect.unwrap(at_tier)(everything()[0], "huge")  # past the type check, which only the tests have


def test_a_shorter_tier_is_never_longer() -> None:
    for tier in get_args(Tier):
        for e, shorter in kinds_at(tier):
            weights, less = e.evaluation.weights, shorter.evaluation.weights
            assert less.training.schedule.epochs <= weights.training.schedule.epochs
            assert all(a <= b for a, b in zip(widths(less.encoder), widths(weights.encoder), strict=True))
            assert less.data.view.frames <= weights.data.view.frames


def widths(encoder: Any) -> list[int]:
    if isinstance(encoder, NoNetwork):
        return []
    several = isinstance(encoder, Representations)
    return [w for _, each in encoder.encoders for w in widths(each)] if several else [encoder.width]


def test_the_reduced_tier_keeps_at_least_a_quarter_of_the_papers_width() -> None:
    for e in kinds().values():
        less = widths(at_tier(e, "reduced").evaluation.weights.encoder)
        assert all(4 * a >= b for a, b in zip(less, widths(e.evaluation.weights.encoder), strict=True))


def test_an_experiment_that_was_shortened_is_not_shortened_again() -> None:
    for e in [e for e in everything() if e.tier == "reduced"][::50]:
        assert at_tier(e, "reduced") is e
        with pytest.raises(SkelkitError, match="is at tier reduced already"):
            at_tier(e, "smoke")


def test_every_kind_of_experiment_can_be_built_at_smoke_tier() -> None:
    spec = DataSpec(40, 17, KINECT_V2, 2)
    built = set()
    for e in kinds().values():
        main = weights = at_tier(e, "smoke").evaluation.weights
        while weights is not None:
            if (key := (weights.encoder, weights.method)) not in built:
                built.add(key)
                rng = Generator().manual_seed(0)
                method = build(weights.method, weights.encoder.build(spec), spec, rng)
                if weights is main and e.evaluation.encoder:
                    assert e.evaluation.encoder in method.encoders
            weights = weights.start
    assert len(built) > 30


def test_no_two_experiments_of_a_tier_are_the_same() -> None:
    seen = [(e.cell, store.key(e.evaluation), e.variant, e.tier) for e in everything()]
    assert len(set(seen)) == len(seen)


def test_two_tiers_share_no_experiment_but_those_without_a_network_which_no_tier_shortens() -> None:
    seen = Counter((e.cell, store.key(e.evaluation), e.variant) for e in everything())
    assert {cell.row for (cell, *_), times in seen.items() if times > 1} == {NO_NETWORK}


# ── knobs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_knobs_of_every_kind_of_config_are_looked_at() -> None:
    of_each_kind = {"Shear", "Units", "Whole", "HCN", "NoNetwork", "Decoder", "BYOLConfig", "WarmupCosine", "KJS"}
    of_each_kind |= {"AugmentedLinear", "Logistic", "First"}
    assert of_each_kind <= configs().keys()


SETTINGS = [each.Setting for each in (ascal_settings, byol_settings, interskeleton_settings, longt_gan_settings)]
SETTINGS += [sesar_settings.Setting, places.Place, tiers.Limits, Row]
"""What recipes set by data set and tier, and what they come to."""


def fields_of(config: type) -> Iterator[tuple[str, bool]]:
    """The fields that a class declares, and whether a docstring follows each."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(config))).body
    assert isinstance(tree, ast.ClassDef)
    for statement, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign):
            under = isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant)
            yield ast.unparse(statement.target), under


def test_every_knob_is_explained_under_it() -> None:
    all_of_them = [*configs().values(), *SETTINGS]
    assert [c.__name__ for c in all_of_them if not c.__doc__ or c.__doc__.startswith(f"{c.__name__}(")] == []
    assert [f"{c.__qualname__}.{name}" for c in all_of_them for name, under in fields_of(c) if not under] == []


@cache
def reads(path: Path) -> set[str]:
    """The names of the attributes that a room reads."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def test_every_knob_is_read_by_the_room_that_owns_it() -> None:
    found = {name: config for name, config in configs().items() if config.__module__ != experiment.__name__}
    for name, config in found.items():
        assert {field.name for field in dataclasses.fields(config)} <= reads(Path(inspect.getfile(config))), name


def test_every_part_of_an_experiment_is_read_by_what_runs_them() -> None:
    read = set().union(*map(reads, Path(skelkit.__file__).parent.glob("*.py")))
    parts = [config for config in configs().values() if config.__module__ == experiment.__name__]
    unread = {field.name for config in parts for field in dataclasses.fields(config)} - read
    assert unread == {"generator", "identity"}  # the key's alone


def test_an_unknown_knob_raises() -> None:
    for config in configs().values():
        with pytest.raises(TypeError, match="no_such_knob"):
            inspect.signature(config).bind_partial(no_such_knob=1)


def test_every_config_is_frozen() -> None:
    assert [name for name, config in configs().items() if not config.__dataclass_params__.frozen] == []


# ── published cells ─────────────────────────────────────────────────────────────────────────────────────────────────

OURS = {"Ours (CAE)", "Ours (CAE+)", "RNN", "GRU", "LSTM"}


def measurable() -> pd.DataFrame:
    """The printed numbers that a recipe of ours could measure: not the baselines that AS-CAL cites, nor a loss read
    off a curve, nor a difference of two cells."""
    cells = published.cells("ascal")
    cells = cells[cells["value"].notna() & cells["metric"].isin(["top-1", "top-5"]) & (cells["column"] != "Average")]
    return cells[~cells["note"].str.contains(r"\bcited\b")]


def test_every_printed_number_that_is_no_cited_baseline_has_an_experiment() -> None:
    made = {
        (e.cell.table, e.cell.row, e.cell.column, w.data.name, w.data.split, e.cell.labels)
        for e in everything()
        for w in [e.evaluation.weights]
    }
    names = ["table", "row", "column", "dataset", "split", "labels"]
    missing = [cell for cell in measurable()[names].itertuples(index=False, name=None) if cell not in made]
    assert missing == []


def test_what_nobody_measures_are_cited_baselines_losses_and_gains() -> None:
    cells = published.cells("ascal")
    rest = cells[cells["value"].notna() & (cells["column"] != "Average")].drop(measurable().index)
    cited = rest[rest["note"].str.contains(r"\bcited\b")]
    assert not set(cited["row"]) & OURS
    assert set(rest.drop(cited.index)["metric"]) <= {"contrastive loss", "gain"}


def test_every_experiment_of_a_published_data_set_names_a_published_table() -> None:
    known = set(published.cells("ascal")["table"])
    ours = {e.cell.table for e in everything() if e.cell.paper == "ascal"}
    assert ours - known == {"NW-UCLA", "Units", SHUFFLED}


def test_both_encoders_that_learn_nothing_stand_beside_every_comparison() -> None:
    for name in ("table2", "table3", "table4", "table5", "figure9"):
        assert {NO_NETWORK, RANDOM} < {e.cell.row for e in getattr(ascal, name)()}


def test_every_linear_evaluation_with_all_labels_has_one_twin_by_logistic_regression_and_nothing_else_has() -> None:
    def asked(e: Experiment) -> tuple[Any, ...]:
        return dataclasses.replace(e, evaluation=dataclasses.replace(e.evaluation, protocol=OwnClassifier()))

    found = [e for e in everything() if e.cell.paper in PAPERS and not e.evaluation.shuffled]
    linear = [e for e in own_read_outs(found) if isinstance(e.evaluation.protocol, Linear | AugmentedLinear)]
    twins = [e for e in found if isinstance(e.evaluation.protocol, Logistic)]
    assert Counter(map(asked, twins)) == Counter(asked(e) for e in linear if e.evaluation.labels is None)
    assert {e.evaluation.protocol for e in twins} == {Logistic()}


# ── published cells of inter-skeleton contrast ──────────────────────────────────────────────────────────────────────

KEY_OF_A_CELL = ["table", "row", "column", "dataset", "split", "labels", "metric"]


def made_by_inter_skeleton() -> set[tuple[str, ...]]:
    """What the experiments on the paper's own data sets would fill, logistic regression left out."""
    experiments = [(e, e.evaluation.weights.data) for e in own_read_outs(interskeleton.everything())]
    return {
        (
            *(e.cell.table, e.cell.row, e.cell.column, data.name, e.evaluation.split or data.split, e.cell.labels),
            "kNN top-1" if isinstance(e.evaluation.protocol, KNN) else "top-1",
        )
        for e, data in experiments
        if data.name in interskeleton.PAPERS_OWN
    }


def test_every_number_of_inter_skeleton_contrast_that_is_not_cited_has_an_experiment() -> None:
    cells = published.cells("interskeleton")
    cells = cells[cells["metric"].isin(["top-1", "kNN top-1"]) & ~cells["note"].str.contains(r"\bcited\b")]
    printed = set(cells[KEY_OF_A_CELL].itertuples(index=False, name=None))
    assert len(printed) == 6 + 20 + 4 + 2 + 21 + 12 + 8 + 5 + 3 + 12  # of Tables 1 to 10
    assert printed - made_by_inter_skeleton() == set()


def test_every_experiment_of_inter_skeleton_contrast_fills_a_printed_cell_or_learns_nothing() -> None:
    printed = set(published.cells("interskeleton")[KEY_OF_A_CELL].itertuples(index=False, name=None))
    unprinted = made_by_inter_skeleton() - printed
    assert {(table, row) for table, row, *_ in unprinted} == {
        (f"Table {n}", row) for n in range(1, 11) for row in (NO_NETWORK, RANDOM)
    }


def test_extensions_of_inter_skeleton_contrast_use_the_printed_rows_and_meet_no_printed_cell() -> None:
    printed = published.cells("interskeleton")
    extensions = [e for e in interskeleton.extensions() if e.cell.table != SHUFFLED]
    assert {e.tier for e in extensions} == {"reduced"}
    assert not {e.evaluation.weights.data.name for e in extensions} & set(printed["dataset"])
    known = {*zip(printed["table"], printed["row"], strict=True)}
    made = {(e.cell.table, e.cell.row) for e in extensions}
    assert made - known == {(table, row) for table, _ in made for row in (NO_NETWORK, RANDOM)}


def test_the_folds_of_a_data_set_share_a_column_so_that_they_are_averaged() -> None:
    for make in (interskeleton.table1, interskeleton.table5):
        cells = {(e.cell, e.evaluation.weights.data.fold) for e in make("sbu")}
        assert len(cells) == 5 * len({cell for cell, _ in cells})


def test_at_no_tier_of_inter_skeleton_contrast_is_a_queue_smaller_than_the_batch() -> None:
    for e in interskeleton.everything():
        for tier in get_args(Tier) if e.tier == "paper" else ():
            weights = at_tier(e, tier).evaluation.weights
            weights = weights.start or weights
            if hasattr(weights.method, "queue"):
                assert weights.method.queue >= min(weights.training.batch, weights.data.clips or weights.training.batch)


def test_the_released_variant_of_inter_skeleton_contrast_crops_a_clips_own_frames_before_it_stretches_them() -> None:
    for table in ("1", "2", "4", "5", "7", "9"):
        for e in interskeleton.TABLES[f"Table {table}"]("ntu60", variant="official"):
            weights: Weights | None = e.evaluation.weights
            if isinstance(weights.encoder, NoNetwork):  # is read as the others are, or sees whole clips
                augmented = table in ("1", "5", "9")  # where the read-out crops clips
                views = (Whole(300), Resample(64, share=0.95)) if augmented else (Whole(), None)
                assert (weights.data.view, weights.data.eval_view, weights.method.steps) == (*views, ())
                weights = None
            while weights is not None:
                assert weights.data.view == Whole(300)
                assert weights.data.eval_view == Resample(64, share=0.95)
                first = weights.method.steps[0]
                assert (first.frames, first.least) in {(64, 64), (64, 1)}
                assert (first.least == 64) == (first.shortest < 1)
                weights = weights.start
            if isinstance(e.evaluation.protocol, AugmentedLinear):
                assert e.evaluation.protocol.steps == (CropResize(0.5, least=64, frames=64),)
    (paper,) = {e.evaluation.protocol for e in own_read_outs(interskeleton.table1("ntu60"))}
    assert paper.steps == (CropResize(0.5, frames=64),)
    assert at_tier(interskeleton.table1("ntu60")[0], "smoke").evaluation.protocol.steps[0].frames == 12


def test_the_released_epochs_and_start_of_inter_skeleton_contrast_are_those_of_its_script_and_builder() -> None:
    def schedule(dataset: str, split: str) -> Steps:
        found = interskeleton.pretraining(dataset, split, variant="official").training.schedule
        assert isinstance(found, Steps)
        return found

    for dataset, split, epochs, drop in (("ntu60", "xview", 451, 351), ("ntu120", "xset", 351, 251)):
        steps = schedule(dataset, split)
        rates = [steps.rate(epoch) for epoch in range(epochs)]
        assert steps.epochs == epochs
        assert rates == pytest.approx([1] * drop + [0.1] * (epochs - drop))
    assert schedule("pku_mmd1", "xsub") == interskeleton.pretraining("pku_mmd1", "xsub").training.schedule
    assert interskeleton.pretraining("ntu120", "xset").training.schedule == Steps(450, drops=(7 / 9,))
    for dataset, width in (("ntu60", 1024), ("nw_ucla", 512)):
        encoders = dict(interskeleton.pretraining(dataset, "xsub", variant="official").encoder.encoders)
        assert encoders["X_SEQ"] == BiGRU(width, directions="two forward", initial="xavier")


def test_table_10_puts_features_beside_each_other_by_the_read_out_of_its_other_rows() -> None:
    for dataset in ("ntu60", "nw_ucla"):
        table = interskeleton.table10(dataset)
        (one,) = {e.evaluation.protocol for e in own_read_outs(table)}
        assert Counter(e.evaluation.protocol for e in table if e.evaluation.beside) == {one: 3, Logistic(): 3}


def test_where_synthetic_clips_stand_in_an_evaluation_has_no_split_of_the_data_set_s_own() -> None:
    splits = {e.evaluation.split for e in interskeleton.table1("nw_ucla", tier="smoke")}
    assert splits == {""}
    assert "xview-v3" in {e.evaluation.split for e in interskeleton.table1("nw_ucla", tier="reduced")}
