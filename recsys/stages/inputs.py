"""What each stage reads and what it leaves, as texts: a stage is stale where they differ from its record."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.config import RunConfig
from recsys.data.dataset import MANIFEST, read_manifest
from recsys.durable import fingerprint, sha256_of
from recsys.evaluation.outcome import CLICKS, LISTS, NAME, PREDICTIONS, RANKS, TRUTH
from recsys.section import Section, flatten
from recsys.stages.record import Stage
from recsys.stages.suited import left_to_the_log
from recsys.training.identity import Identity
from recsys.training.ranking_config import SampledConfig

READS = {
    Stage.PREPARE: (),
    Stage.TRAIN: (Stage.PREPARE,),
    Stage.RANK: (Stage.PREPARE,),
    Stage.BLEND: (Stage.PREPARE, Stage.TRAIN, Stage.RANK),
    Stage.EVALUATE: (Stage.PREPARE, Stage.TRAIN),
    Stage.INDEX: (Stage.PREPARE, Stage.TRAIN, Stage.EVALUATE),
    Stage.RECOMMEND: (Stage.PREPARE, Stage.INDEX),
}
PRODUCTS = {
    Stage.PREPARE: "dataset",
    Stage.TRAIN: "model",
    Stage.RANK: "ranker",
    Stage.BLEND: "blend.json",
    Stage.EVALUATE: "evaluation.json",
    Stage.INDEX: "bundle",
    Stage.RECOMMEND: "recommendations",
}


@dataclass(frozen=True)
class Layout:
    """Where things lie in a workdir."""

    workdir: Path

    def product(self, stage: Stage) -> Path:
        """The file or directory that a stage is run for."""
        return self.workdir / PRODUCTS[stage]


def reads(stage: Stage, config: RunConfig) -> tuple[Stage, ...]:
    """Whose products a stage reads."""
    if config.ranker is None:
        return READS[stage]
    examples = config.ranker.examples
    needs_retriever = config.ranker.warm_start or (
        isinstance(examples, SampledConfig) and examples.source == "retriever"
    )
    return (
        *READS[stage],
        *([Stage.TRAIN] if stage is Stage.RANK and needs_retriever else []),
        *([Stage.RANK, Stage.BLEND] if stage in {Stage.EVALUATE, Stage.INDEX} else []),
    )


def earlier(stage: Stage, config: RunConfig) -> tuple[Stage, ...]:
    """Those that must have run, in their order: what the stage reads, and what that was made of."""
    read = reads(stage, config)
    needed = set(read) | {before for one in read for before in earlier(one, config)}
    return tuple(other for other in Stage if other in needed)


def inputs(stage: Stage, config: RunConfig, layout: Layout) -> dict[str, str]:
    """Everything that the stage's outcome is a function of, the log's own files left out."""
    products = {f"the {PRODUCTS[read]}": output(read, layout) or "missing" for read in reads(stage, config)}
    if config.training.refit and Stage.TRAIN in READS[stage]:
        refit = sorted((layout.product(Stage.TRAIN) / "refit" / "best").glob("*"))
        products["the refit"] = _fingerprint_of(refit) or "missing"
    match stage:
        case Stage.PREPARE:
            settings = {"seed": str(config.seed), **_named("data", config.data)}
        case Stage.TRAIN:
            # the identity names the dataset itself, and the log's choices follow from that
            chosen = {
                "left to the log": ", ".join(left_to_the_log(config)),
                "training.refit": str(config.training.refit),
            }
            return {**training_identity(config, products["the dataset"]).values, **chosen}
        case Stage.RANK:
            assert config.ranker is not None
            settings = {"seed": str(config.seed), **_named("ranker", config.ranker)}
        case Stage.BLEND:
            settings = _of_recommend(config, "candidates", "blend", "exclude_seen")
        case Stage.EVALUATE:
            settings = _of_recommend(config, "exclude_seen") | _named("evaluation", config.evaluation)
            settings |= _named("index", config.index) | _approximate(config) if config.recommend.approximate else {}
            settings |= _of_recommend(config, "candidates") if config.ranker is not None else {}
        case Stage.INDEX:
            settings = _named("index", config.index) | _approximate(config)
            settings |= _of_recommend(config, "candidates") if config.ranker is not None else {}
        case Stage.RECOMMEND:
            settings = _named("recommend", config.recommend)
    return {**products, **settings}


def _approximate(config: RunConfig) -> dict[str, str]:
    """Nothing where it is not asked for, so that what was made before one could ask is not stale."""
    return _of_recommend(config, "approximate") if config.recommend.approximate else {}


def output(stage: Stage, layout: Layout) -> str | None:
    """Fingerprint of the stage's product as it lies there now; None where there is none."""
    product = layout.product(stage)
    match stage:
        case Stage.PREPARE:
            return read_manifest(product).fingerprint if (product / MANIFEST).is_file() else None
        case Stage.TRAIN:
            return _fingerprint_of(sorted((product / "best").glob("*")))
        case Stage.RANK:
            files = [*sorted((product / "best").glob("*")), *(product / name for name in (CLICKS, PREDICTIONS))]
            return _fingerprint_of(files) if all(file.is_file() for file in files) else None
        case Stage.BLEND:
            return sha256_of(product) if product.is_file() else None
        case Stage.EVALUATE:
            files = [product, *(layout.workdir / NAME / name for name in (LISTS, TRUTH, RANKS))]
            return _fingerprint_of([file for file in files if file.is_file()]) if product.is_file() else None
        case Stage.INDEX:
            # its name is its content, as far as it is undamaged, which whoever opens it finds out
            return product.readlink().name if product.is_symlink() and product.exists() else None
        case Stage.RECOMMEND:
            return _fingerprint_of(sorted(product.glob("*.parquet")))


def training_identity(config: RunConfig, dataset: str) -> Identity:
    return Identity.of(
        dataset=dataset,
        seed=config.seed,
        exclude_seen=config.recommend.exclude_seen,
        model=config.model,
        training=config.training,
    )


def _of_recommend(config: RunConfig, *keys: str) -> dict[str, str]:
    return {f"recommend.{key}": str(getattr(config.recommend, key)) for key in keys}


def _named(name: str, section: Section) -> dict[str, str]:
    return {f"{name}.{key}": value for key, value in flatten(section).items()}


def _fingerprint_of(files: Sequence[Path]) -> str | None:
    return fingerprint(*(text for file in files for text in (file.name, sha256_of(file)))) if files else None
