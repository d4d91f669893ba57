#!/bin/sh
# Makes the token where there is none yet, then starts Trefoil with it as the default backend.
set -eu
directory="${TREFOIL_DATA_DIR:-/data}/softhsm"
settings=$(node /app/softhsm/init-token.ts --dir "$directory")
eval "$settings"
export SOFTHSM2_CONF TREFOIL_HSM
export TREFOIL_DEFAULT_BACKEND="${TREFOIL_DEFAULT_BACKEND:-pkcs11:trefoil}"
exec node /app/bin/trefoil.js "$@"
