#!/bin/bash
# run.sh - pages of `polyrank report` in headless Chromium: at 400 and 1400 pixels, light and dark. Ends with 'browser: N passed, N
# failed', or says that it was skipped because there is no Chromium.
set -u
cd "$(dirname "$0")/../.."
. scripts/mpi-env.sh
program=$(command -v chromium || command -v chromium-browser || command -v google-chrome)
if [ -z "$program" ]; then
    echo "   no Chromium here (Debian: apt-get install chromium): pages were not looked at"
    echo "browser: 0 passed, 0 failed, 1 skipped"
    exit 0
fi
P=$PWD/${BUILD:-build}/polyrank
work=$(mktemp -d "${TMPDIR:-/tmp}/polyrank-browser.XXXXXX")
trap 'rm -rf "$work"' EXIT
. tests/browser/runs.sh
if ! make_runs "$P" "$work" >"$work/log" 2>&1; then
    tail -n 5 "$work/log"
    echo "browser: 0 passed, 1 failed"
    exit 1
fi
python3 tests/browser/pages.py "$program" "$work"/*.html
