"""What plugin authors may import: `PUBLIC`. Everything else of kelly_core may change without notice.

docs/reference/api.md is generated from it, and says what becomes of plugins when it changes. The modules are
only named here, not imported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Area:
    """Public modules for one kind of work.

    Attributes:
        title: What it is about.
        modules: Names by module.
    """

    title: str
    modules: Mapping[str, tuple[str, ...]]


AREAS = (
    Area(
        "Declaring plugins",
        {
            "kelly_core": ("API_VERSION",),
            "kelly_core.hookspecs": ("hookimpl",),
            "kelly_core.specs": (
                "ArchiveSpec",
                "DatasetSpec",
                "DeviceSpec",
                "ExporterSpec",
                "LazyRef",
                "ModelSpec",
                "Pretrained",
                "TensorSpec",
            ),
            "kelly_core.errors": (
                "CheckpointError",
                "ConfigError",
                "ContractError",
                "DataError",
                "DeviceError",
                "FormatError",
                "InferenceOnlyError",
                "KellyError",
                "MissingExtraError",
                "ParityError",
                "PluginError",
                "RegistryError",
                "TrainingError",
                "UserError",
            ),
        },
    ),
    Area(
        "Settings",
        {
            "kelly_core.config": (
                "CheckpointConfig",
                "EarlyStoppingConfig",
                "OptimizerConfig",
                "ScheduleConfig",
                "SplitConfig",
                "StrictModel",
                "TrainConfig",
                "setting",
            ),
        },
    ),
    Area(
        "Models",
        {
            "kelly_core.task": (
                "Context",
                "Interface",
                "Predictions",
                "Prepared",
                "Source",
                "Split",
                "Task",
            ),
            "kelly_core.contract": (
                "BATCH",
                "ChainInfo",
                "ChainState",
                "ChainTensor",
                "Contract",
                "Pooling",
                "StateInfo",
                "TableInfo",
                "TensorInfo",
                "Turn",
                "Votes",
            ),
            "kelly_core.deployed": ("Deployed", "in_steps"),
            "kelly_core.chain": (
                "ACTIVATIONS",
                "Activation",
                "BatchNorm",
                "Chain",
                "Conv1d",
                "Conv2d",
                "Dense",
                "Gru",
                "Layer",
                "Lstm",
                "Parts",
                "Prelu",
                "array",
                "clamp",
                "conv2d_of",
                "folded",
                "layers_of",
            ),
            "kelly_core.chain.rtneural": ("parse", "render"),
            "kelly_core.evaluate": ("Protocol", "PublishedRow", "declared_folds", "official_split"),
            "kelly_core.evaluate.classification": ("classification_metrics", "confusion_matrix"),
            "kelly_core.evaluate.linear": ("linear_svm", "majority"),
            "kelly_core.inference": (
                "Engine",
                "FileEmbedding",
                "FilePrediction",
                "InferenceResult",
                "Span",
                "TopK",
                "create_engine_by_name",
                "softmax",
            ),
        },
    ),
    Area(
        "Commands of `kelly predict`",
        {
            "kelly_core.cli.console": (
                "note",
                "print_json",
                "progress",
                "say",
                "table",
                "warn",
                "workspace",
            ),
            "kelly_core.cli.predict": (
                "clock",
                "find_inputs",
                "predict_files",
                "run_each",
                "show_labels",
                "tell",
                "tell_engine",
            ),
            "kelly_core.cli.predict_embeddings": ("records", "show_nearest", "show_sizes", "write"),
            "kelly_core.cli.predict_midi": (
                "AsJson",
                "Inputs",
                "Output",
                "Runtime",
                "Threads",
                "Transform",
                "run_files",
                "transform_files",
            ),
        },
    ),
    Area(
        "Data",
        {
            "kelly_core.data": ("Dataset", "Item", "Problem"),
            "kelly_core.data.audio_files": ("CONVERTIBLE", "READABLE", "read_audio"),
            "kelly_core.data.demo": (
                "LICENCE",
                "MARKER",
                "TABLE",
                "Demo",
                "read_table",
                "sides_of",
                "write_table",
            ),
            "kelly_core.data.feature_set": ("FeatureSet", "build_features"),
            "kelly_core.data.listing": ("find_files", "sub_folders"),
            "kelly_core.data.metadata": ("NAMES", "find_metadata", "read_metadata"),
            "kelly_core.data.midi_folder": ("open_midi_folder",),
            "kelly_core.data.sound_folder": ("list_sounds", "open_sound_folder"),
            "kelly_core.data.processes": ("each",),
            "kelly_core.data.splits": ("describe_split", "group_position", "split_items"),
        },
    ),
    Area(
        "Sound and notes",
        {
            "kelly_core.features.audio": (
                "FEATURE_VERSION",
                "POWER_FLOOR",
                "LogMel",
                "MelConfig",
                "hann_window",
                "mel_filters",
            ),
            "kelly_core.features.audio_torch": ("LogMelModule",),
            "kelly_core.features.cache": ("FeatureCache", "file_state"),
            "kelly_core.features.midi": (
                "DRUM_CHANNEL",
                "MIDI_VERSION",
                "NOTE_DTYPE",
                "SUFFIXES",
                "Bars",
                "Key",
                "MidiFile",
                "encode",
                "estimate_key",
                "make_notes",
                "parse_key",
                "read_bytes",
                "read_midi",
                "rewritten",
                "with_track",
                "write_back",
                "write_notes",
            ),
            "kelly_core.features.midi.keys": ("MAJOR", "MINOR"),
            "kelly_core.features.midi.picture": ("draw_roll",),
            "kelly_core.features.midi.samples": ("write_sample",),
            "kelly_core.features.midi.tunes": ("same_tunes", "tune_runs"),
            "kelly_core.infer.embedding": ("check_table", "write_table"),
            "kelly_core.sound.clips": ("Clips", "Heard", "SoundToMel", "hear"),
            "kelly_core.sound.described": ("hear_file", "mel_config", "mel_features", "mel_input"),
            "kelly_core.sound.front_end": ("waveform_view",),
            "kelly_core.sound.picture": ("draw_mels",),
            "kelly_core.sound.settings": ("FeatureConfig",),
            "kelly_core.sound.standardize": ("Standardize",),
            "kelly_core.sound.store": ("MelStore",),
            "kelly_core.sound.windows": (
                "FLOOR_DB",
                "active_region",
                "cut_window",
                "evaluation_starts",
                "louder",
                "training_bounds",
            ),
        },
    ),
    Area(
        "File formats",
        {
            "kelly_core.export": ("Arrays", "ExportBundle", "Inspection", "Runner", "View"),
            "kelly_core.infer.frames": ("ChainRunner", "FrameEngine", "to_frames"),
            "kelly_core.infer.runtimes.onnx": ("open_runner",),
            "kelly_core.infer.runtimes.rtneural": ("open_runner",),
            "kelly_core.infer.runtimes.torchscript": ("open_runner",),
            "kelly_core.runtime": ("BUILTIN", "ModuleRunner", "check_names", "opening"),
            "kelly_core.tensors": ("resized", "symbols"),
            "kelly_core.verify": (
                "ParityReport",
                "ParityRow",
                "check_golden",
                "check_parity",
                "from_reset",
                "golden_rows",
                "random_inputs",
                "stepwise",
            ),
        },
    ),
    Area("Devices", {"kelly_core.devices.probe": ("DeviceReport",)}),
    Area("Observers", {"kelly_core.train.run_folder": ("Run",)}),
    Area(
        "Files and tests",
        {
            "kelly_core.atomic": ("replacing", "write_bytes", "write_json", "write_text"),
            "kelly_core.progress": ("Progress", "Silent"),
            "kelly_core.testing": ("RULES", "Report", "Result", "Rule", "check_plugin", "untrained"),
            "kelly_core.workspace": ("Workspace",),
        },
    ),
)
PUBLIC: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {module: names for area in AREAS for module, names in area.modules.items()}
)
"""Names by module; what isn't here is nobody's business but core's."""
