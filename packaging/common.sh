# Shared by the scripts of this folder. SPDX-License-Identifier: Apache-2.0
say() { printf '[%s] %s\n' "$(date +%H:%M:%S)" "$*" >&2; }
fail() { printf '\nerror: %s.\n  what to do: %s\n' "$1" "${2:-see the messages above}" >&2; exit 1; }

cache_dir() { printf '%s/meanflow-studio' "${XDG_CACHE_HOME:-$HOME/.cache}"; }
environment_dir() { printf '%s\n' "${MEANFLOW_ENV:-$(cache_dir)/env-torch-2.11.0}"; }

log_file=${MEANFLOW_SETUP_LOG:-$(cache_dir)/setup.log}
mkdir -p "$(dirname "$log_file")" 2>/dev/null || fail "cannot write to $(dirname "$log_file")" "set XDG_CACHE_HOME to a folder you may write to"

# Runs a command with its output in the log, and shows the last lines when it fails.
run_logged() {
  printf '\n--- %s\n' "$*" >>"$log_file"
  local from; from=$(wc -l <"$log_file")
  "$@" >>"$log_file" 2>&1 || { tail -n +"$((from + 1))" "$log_file" | tail -n 12 >&2; return 1; }
}

# Configures and builds a preset; extra arguments are targets. Prints how long it took.
build_preset() {
  local root=$1 preset=$2 started=$SECONDS; shift 2
  local targets=(); for target in "$@"; do targets+=(--target "$target"); done
  export CCACHE_DIR=${CCACHE_DIR:-$(cache_dir)/ccache} CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-5G}
  say "building (preset $preset; 10 to 20 minutes the first time on two cores, seconds when nothing changed)"
  # Another LibTorch than the one the folder was configured with would leave stale paths behind.
  (cd "$root" && run_logged cmake --preset "$preset" "-DSTUDIO_TORCH_DIR=$(torch_dir)") ||
    fail "cmake could not configure the project" "the log is $log_file"
  if [ -t 2 ]; then
    (cd "$root" && cmake --build "build/$preset" "${targets[@]}" >&2) || fail "the build failed" "the first error is above"
  else
    (cd "$root" && run_logged cmake --build "build/$preset" "${targets[@]}") ||
      fail "the build failed" "the log is $log_file"
  fi
  say "built in $((SECONDS - started)) s"
}

torch_dir() {
  local found=("$(environment_dir)"/lib/python3*/site-packages/torch)
  printf '%s' "${found[0]}"
}
