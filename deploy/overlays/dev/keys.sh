#!/usr/bin/env bash
# DEV ONLY: makes fresh keys for every role and a self-signed certificate, and puts them into the namespace linli-dev.
# What callers need is kept in the present directory: the certificate (linli-dev.crt), and the issuer's key (linli-dev/keys), with which
# `linli token --data-dir linli-dev SUBJECT` makes tokens. `keys.sh --only-make DIR` makes the files and asks no cluster.
set -euo pipefail
namespace=linli-dev

make_keys() { # directory
  local keys=$1 role
  mkdir -p "$keys/public"
  for role in issuer gateway org booking points deliberation rules; do
    openssl genpkey -algorithm ed25519 -out "$keys/$role.pem"
    openssl pkey -in "$keys/$role.pem" -pubout -out "$keys/public/$role.pem"
    printf '1 %s\n' "$(openssl rand -base64 32)" >"$keys/$role.fields"
  done
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=linli-dev" \
    -addext "subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:linli-gateway.$namespace.svc" \
    -keyout "$keys/tls.key" -out "$keys/tls.crt" 2>/dev/null
}

put() { # kind name arguments: creates or replaces
  local kind=$1 name=$2
  shift 2
  # Word splitting is wanted: "secret generic" is two words.
  # shellcheck disable=SC2086
  kubectl -n "$namespace" create $kind "$name" "$@" --dry-run=client -o yaml | kubectl apply -f -
}

umask 077
if [ "${1:-}" = --only-make ]; then
  make_keys "$2"
  exit
fi

keys=$(mktemp -d)
trap 'rm -rf "$keys"' EXIT
make_keys "$keys"
kubectl create namespace "$namespace" --dry-run=client -o yaml | kubectl apply -f -
for role in gateway org booking points deliberation rules; do
  put "secret generic" "linli-$role-keys" \
    "--from-file=identity.pem=$keys/$role.pem" "--from-file=fields.key=$keys/$role.fields"
done
put configmap linli-public-keys "--from-file=$keys/public"
put "secret tls" linli-gateway-tls "--cert=$keys/tls.crt" "--key=$keys/tls.key"

cp "$keys/tls.crt" linli-dev.crt
mkdir -p linli-dev/keys
cp "$keys/issuer.pem" linli-dev/keys/issuer-private.pem
cp "$keys/public/issuer.pem" linli-dev/keys/issuer.pem
