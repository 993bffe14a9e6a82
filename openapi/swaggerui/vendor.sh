#!/usr/bin/env bash
# Takes swagger-ui-dist VERSION into assets/, with its manifest. The bundle and
# its style sheet are kept compressed, as they are served; each sum in the
# manifest is that of the published file, so anyone can compare.
#
#   openapi/swaggerui/vendor.sh 5.35.0
set -euo pipefail
cd "$(dirname "$0")"
version=$1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "swagger-ui-dist@$version" >/dev/null && tar xzf ./*.tgz)

rm -rf assets
mkdir assets
list=
for file in LICENSE NOTICE favicon-32x32.png swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css; do
  sum=$(sha256sum <"$work/package/$file" | cut -d' ' -f1)
  list+=$(printf '%s    "%s": "%s"' "${list:+,$'\n'}" "$file" "$sum")
  case $file in
  *.js | *.css) gzip -9n <"$work/package/$file" >"assets/$file.gz" ;;
  *) cp "$work/package/$file" assets/ && chmod 644 "assets/$file" ;;
  esac
done
cat >assets/manifest.json <<EOF
{
  "name": "swagger-ui-dist",
  "version": "$version",
  "license": "Apache-2.0",
  "sha256": {
$list
  }
}
EOF
