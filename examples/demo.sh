#!/bin/sh
# From nothing to a checked model on the built-in synthetic data, as a reader would type it.
# `make demo` runs this with kelly's folder in BIN.
set -eu

DEMO=${DEMO:-demo}
# A network this small gains nothing from more threads, and loses much where the cores are shared.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
PATH="${BIN:+$PWD/$BIN:}$PATH"

run() {
    printf '\n$ %s\n' "$*"
    "$@"
}

run kelly --workspace "$DEMO" train --config examples/demo.yaml --data demo
run kelly --workspace "$DEMO" verify emotion
run kelly --workspace "$DEMO" registry validate

# Three clips of different emotions by a performer that the model never heard.
run_folder=$(ls -td "$DEMO"/logs/training/*/ | head -n 1)
clips=$(python - "$run_folder" "$DEMO/data" <<'PYTHON'
import json, sys
from pathlib import Path

run, data = map(Path, sys.argv[1:])
root = max(data.glob("cache/emotion-demo/*/complete.json"), key=lambda file: file.stat().st_mtime).parent
heldout = {}
for name in json.loads((run / "split.json").read_text())["test"]:
    heldout.setdefault(name.split("/")[0], root / name)
print(*list(heldout.values())[:3])
PYTHON
)
# shellcheck disable=SC2086 # the names have no spaces
run kelly --workspace "$DEMO" predict emotion $clips --top-k 1
run kelly --workspace "$DEMO" list --kind model

cat <<END

Where things are:
  model       $DEMO/models/emotionrecognizer.onnx, and .pt for TorchScript
  contract    $DEMO/models/emotionrecognizer.contract.json
  registry    $DEMO/models/registry.json
  card        $DEMO/docs/model_cards/emotionrecognizer.md
  run         ${run_folder%/}
  weights     $DEMO/checkpoints/emotionrecognizer/best.pt
The data were synthetic: the figures say nothing about real recordings.
Next: kelly train emotion --data FOLDER, with one sub-folder of recordings for each emotion.
END
