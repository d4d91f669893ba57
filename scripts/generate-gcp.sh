#!/bin/sh
# Regenerates src/api/gcp/gen from the protos that Google ships in its own packages (pinned in package.json).
# With --check, fails when the committed files differ from what would be generated.
set -eu
cd "$(dirname "$0")/.."
kms=node_modules/@google-cloud/kms/build/protos
gax=node_modules/google-gax/build/protos
out=src/api/gcp/gen
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Roots; what they import follows. google/protobuf/* comes with buf and with @bufbuild/protobuf.
queue="google/cloud/kms/v1/service.proto google/cloud/kms/v1/ekm_service.proto google/cloud/kms/v1/autokey.proto
google/cloud/kms/v1/autokey_admin.proto google/cloud/kms/v1/hsm_management.proto google/iam/v1/iam_policy.proto
google/cloud/location/locations.proto google/longrunning/operations.proto google/rpc/error_details.proto"
while [ -n "$queue" ]; do
  next=
  for file in $queue; do
    [ -e "$work/proto/$file" ] && continue
    mkdir -p "$work/proto/$(dirname "$file")"
    if [ -e "$kms/$file" ]; then cp "$kms/$file" "$work/proto/$file"; else cp "$gax/$file" "$work/proto/$file"; fi
    next="$next $(sed -n 's/^import "\(google\/[^"]*\)".*/\1/p' "$work/proto/$file" | grep -v '^google/protobuf/' || true)"
  done
  queue=$(echo $next)
done

cat > "$work/buf.yaml" <<YAML
version: v2
modules:
  - path: proto
YAML
# JavaScript and declarations, not TypeScript: protos' enums become TypeScript enums, which Node can't strip.
cat > "$work/buf.gen.yaml" <<YAML
version: v2
plugins:
  - local: $PWD/node_modules/.bin/protoc-gen-es
    out: gen
    opt: [target=js+dts, import_extension=js]
YAML
(cd "$work" && PATH="$OLDPWD/node_modules/.bin:$PATH" BUF_CACHE_DIR="$work/cache" "$OLDPWD/node_modules/.bin/buf" generate)

if [ "${1:-}" = --check ]; then
  diff -r "$work/gen" "$out"
else
  rm -rf "$out"
  mv "$work/gen" "$out"
fi
