#!/usr/bin/env bash
# DEV ONLY: makes fresh keys for every role and a self-signed certificate, and puts them into the namespace linli-dev.
# Nothing is kept on this machine but the certificate, for callers: linli-dev.crt in the present directory.
set -euo pipefail
namespace=linli-dev
keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT

put() { # kind name arguments: creates or replaces
  local kind=$1 name=$2
  shift 2
  # Word splitting is wanted: "secret generic" is two words.
  # shellcheck disable=SC2086
  kubectl -n "$namespace" create $kind "$name" "$@" --dry-run=client -o yaml | kubectl apply -f -
}

kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f -

mkdir "$keys/public"
for role in issuer gateway org booking points deliberation rules; do
  openssl genpkey -algorithm ed25519 -out "$keys/$role.pem"
  openssl pkey -in "$keys/$role.pem" -pubout -out "$keys/public/$role.pem"
  openssl rand -base64 32 >"$keys/$role.fields"
  put "secret generic" "linli-$role-keys" \
    "--from-file=identity.pem=$keys/$role.pem" "--from-file=fields.key=$keys/$role.fields"
done
put configmap linli-public-keys "--from-file=$keys/public"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=linli-dev" \
  -addext "subjectAltName=DNS:localhost,DNS:linli-gateway.$namespace.svc" \
  -keyout "$keys/tls.key" -out linli-dev.crt
put "secret tls" linli-gateway-tls "--cert=linli-dev.crt" "--key=$keys/tls.key"
