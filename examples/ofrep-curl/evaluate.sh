#!/bin/sh
# Evaluates flags over OFREP with curl. HALYARD_URL is the server; HALYARD_TOKEN is the token of a service.
#   HALYARD_TOKEN=$(npx halyard token --service) sh examples/ofrep-curl/evaluate.sh
set -eu
url="${HALYARD_URL:-http://127.0.0.1:4000}/ofrep/v1"

# $1: the end of the path, $2: the body, then other options of curl.
post() {
  path=$1 body=$2
  shift 2
  curl -sS "$url/evaluate/$path" -H "Authorization: Bearer $HALYARD_TOKEN" -H 'Content-Type: application/json' \
    --data "$body" "$@"
}

echo '# One flag for one user'
post flags/new_checkout '{"context": {"targetingKey": "ann", "plan": "pro"}}'
echo

echo '# A flag that does not exist'
post flags/nope '{"context": {"targetingKey": "ann"}}'
echo

echo '# All flags, or those that the context names'
bulk='{"context": {"targetingKey": "ann", "plan": "pro", "flags": ["new_checkout"]}}'
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
post flags "$bulk" -D "$headers"
echo

echo '# The same again, if anything changed'
etag=$(sed -n 's/^[Ee][Tt]ag: *\(.*"\).*/\1/p' "$headers")
post flags "$bulk" -H "If-None-Match: $etag" -o /dev/null -w '%{http_code}\n'

echo '# The first event of the stream'
stream=$(post flags "$bulk" | sed 's/.*"url":"\([^"]*\)".*/\1/')
curl -sSN --max-time 2 "$stream" 2>/dev/null | grep -m 1 '^data: '
