#!/bin/sh
# Regenerates every committed generated file: each scripts/generate-* in turn. CI runs this and refuses a difference.
set -eu
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

for script in scripts/generate-*; do
  case "$script" in
    *.ts) node "$script" ;;
    *.sh) sh "$script" ;;
  esac
done
