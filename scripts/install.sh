#!/usr/bin/env bash
# Create the virtual environment from the hash-pinned lock: with uv where it is there, with plain pip where not.
set -euo pipefail
venv=$1
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "Dossier needs Python 3.11 or newer; '$python' is $("$python" --version 2>&1). Set PYTHON=/path/to/python3.11." >&2; exit 3; }
# The lock is complete: nothing is resolved anew (older pips look for the newest release of what an extra asks for).
echo "Installing into $venv from requirements.lock (once; half a minute without uv)"
if command -v uv >/dev/null 2>&1; then
  uv venv --quiet --allow-existing --python "$python" "$venv"
  export VIRTUAL_ENV="$PWD/$venv"
  uv pip install --quiet --no-deps --require-hashes -r requirements.lock
  uv pip install --quiet --no-deps --no-build-isolation -e .
else
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
fi
