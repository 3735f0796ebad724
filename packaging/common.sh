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
