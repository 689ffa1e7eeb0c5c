#!/usr/bin/env bash
# What needs an accelerator, in one command of at most 9 minutes, the most valuable first; called again, it goes on.
#
#     benchmarks/accelerator.sh --out DIR [--tiny]
#
# Needs `pip install -e .[test,bench]` with the jax of the device, and JAXGEN_DATA. The laws of the recipes on the device;
# every benchmark, with PyTorch eager and torch.compile on the same card; five vmapped seeds against one; cached sampling
# of 64 and 1,024 images; then rows of docs/results/rows.toml. DIR/STAGE.log is what a stage said, DIR/STAGE.json what it
# measured, with the device's name, and DIR/STAGE.done says that it is not run again; the runs of the rows are resumed.
# --tiny tries all of it out, on a CPU in some minutes.
set -uo pipefail
cd "$(dirname "$0")/.."

out= tiny=
while [ $# -gt 0 ]; do
  case $1 in
    --out) out=${2:?--out: expected a directory}; shift 2 ;;
    --tiny) tiny=1; shift ;;
    *) echo "$1: no such option; expected --out DIR or --tiny" >&2; exit 2 ;;
  esac
done
: "${out:?expected --out DIR}"
mkdir -p "$out"
out=$(cd "$out" && pwd)
python=${PYTHON:-python}
deadline=$((SECONDS + 530))
export JAX_COMPILATION_CACHE_DIR=${JAX_COMPILATION_CACHE_DIR:-$out/cache} JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS=0

# stage NAME SECONDS COMMAND ...: run it, unless it is done, for at most so many seconds of those that are left.
stage() {
  local name=$1 most=$2 left=$((deadline - SECONDS)) code
  shift 2
  if [ -e "$out/$name.done" ]; then echo "$name: done before"; return; fi
  if [ "$left" -lt 20 ]; then echo "$name: left for the next call"; return; fi
  touch "$out/.begun"
  timeout -s TERM -k 10 $((most < left ? most : left)) "$@" >"$out/$name.log" 2>&1
  code=$?
  for file in build/benchmarks/*.json; do [ "$file" -nt "$out/.begun" ] && cp "$file" "$out/$name.json"; done
  case $code in
    0) touch "$out/$name.done"; echo "$name: done, $((left - deadline + SECONDS)) s" ;;
    124 | 137) echo "$name: not finished in its time; the next call goes on" ;;
    *) echo "$name: failed with exit code $code: $(tail -n 1 "$out/$name.log")" ;;
  esac
}

# bench NAME SECONDS MODULE [OPTIONS ...]: a benchmark; those against PyTorch are left out where it is not installed.
bench() {
  local name=$1 most=$2 module=$3
  shift 3
  if grep -q "^import torch" "benchmarks/$module.py" && ! "$python" -c "import torch" 2>/dev/null; then
    echo "$name: left out, PyTorch is not installed"
    return
  fi
  stage "$name" "$most" "$python" -m "benchmarks.$module" "$@"
}

laws() { stage laws "$1" env JAX_PLATFORMS="$platform" "$python" -m pytest tests/recipes/test_recipe_laws.py -q -k "$2"; }
rows() {
  mkdir -p "$out/results"
  [ -e "$out/results/rows.toml" ] || cp docs/results/rows.toml "$out/results/"
  local row
  for row in "$@"; do
    stage "row_$row" 530 "$python" -m train reproduce "$row" --results "$out/results" --run-dir "$out/runs" ${budget:-}
  done
}

platform=$("$python" -c "import jax; print(jax.default_backend().replace('gpu', 'cuda'))")
"$python" -c "import jax; print(jax.devices()[0].device_kind)" | tee "$out/device.txt"
if [ -n "$tiny" ]; then
  export BENCHMARK_ROUNDS=1
  laws 60 "scalars and vae"
  bench train_vae 60 train_vae
  bench train_gan 60 train_gan
  bench train_pixelcnn 60 train_pixelcnn --channels 8
  bench seeds 240 seeds --steps 1
  bench sample_2 60 sample_pixelcnn --images 2 --channels 4
  budget="--seeds 1 --budget cpu --hours 0.003" rows naive_bayes_mnist fvbn_dna
else
  laws 100 "not devices and not microbatches"
  bench train_vae 60 train_vae --compile
  bench train_gan 60 train_gan --compile
  bench train_pixelcnn 60 train_pixelcnn --compile
  bench train_flow 40 train_flow
  bench seeds 60 seeds
  bench sample_64 60 sample_pixelcnn --images 64
  bench sample_1024 60 sample_pixelcnn --images 1024
  bench interpolate 30 interpolate
  bench mmd 40 mmd
  rows pacgan_ring_gan pacgan_ring_pac2 pacgan_grid_gan pacgan_grid_pac2
fi
