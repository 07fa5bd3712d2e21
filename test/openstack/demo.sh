#!/bin/bash
# The story of the demo on a real cloud (docs/operators/real-cloud.md): writes the
# configuration of a karbord with a bank in a temporary folder, and runs the story
# as the tenant. Arguments go to the demo: --selftest, --crash, --keep. The bank is a folder,
# or what KARBOR_DEMO_BANK names: a file with the section "bank" of a provider's file.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${OSLAB:-/var/tmp/oslab}
tenant=${KARBOR_DEMO_OPENRC:-$lab/openrc-alpha}
service=${KARBOR_DEMO_SERVICE_OPENRC:-$lab/openrc-karbor}
listen=${KARBOR_DEMO_LISTEN:-127.0.0.1:8799}
bin=${KARBOR_DEMO_BIN:-$root/bin}
for file in "$tenant" "$service"; do
  [ -r "$file" ] || { echo "there is no $file: set KARBOR_DEMO_OPENRC and KARBOR_DEMO_SERVICE_OPENRC, or run make openstack-up" >&2; exit 2; }
done

state=$(mktemp -d "${TMPDIR:-/var/tmp}/karbor-demo-XXXXXX")
finish() {
  code=$?
  if [ $code -ne 0 ] || [ -n "${KARBOR_DEMO_KEEP:-}" ]; then
    echo "kept: $state (karbord's configuration, database and bank)"
  else
    rm -rf "$state"
  fi
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

mkdir -m 700 "$state/providers.d"
# A subshell: the service user's settings are not the tenant's.
(
  for name in $(compgen -v OS_ || true); do unset "$name"; done
  . "$service"
  umask 077
  printf '%s\n' "$OS_PASSWORD" >"$state/password"
  cat >"$state/karbord.yaml" <<X
listen: $listen
state: $state/state
providers: $state/providers.d
keystone:
  auth_url: $OS_AUTH_URL
  username: ${OS_USERNAME}
  password_file: $state/password
  project: ${OS_PROJECT_NAME}
  user_domain: ${OS_USER_DOMAIN_NAME:-${OS_USER_DOMAIN_ID:-Default}}
  project_domain: ${OS_PROJECT_DOMAIN_NAME:-${OS_PROJECT_DOMAIN_ID:-Default}}
operations:
  admin_reads: ${KARBOR_DEMO_ADMIN_READS:-true}
X
)
bank="bank:
  plugin: karbor-file-bank
  options:
    path: $state/bank"
[ -z "${KARBOR_DEMO_BANK:-}" ] || bank=$(cat "$KARBOR_DEMO_BANK")
"$bin/karbord" bank keys new "$state/bank.key" >/dev/null
cat >"$state/providers.d/bank.yaml" <<X
id: 6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b01
name: bank
description: Keeps all the bytes of an application in a bank.
$bank
repository:
  keys:
    - file: $state/bank.key
  cache: $state/cache
plugins:
  - plugin: karbor-project-protection-plugin
  - plugin: karbor-server-protection-plugin
  - plugin: karbor-volume-glance-plugin
    options: {poll_interval: 2s}
  - plugin: karbor-image-protection-plugin
    options: {poll_interval: 2s}
  - plugin: karbor-network-protection-plugin
X

cd "$root"
go run ./test/demo --karbord "$bin/karbord" --config "$state/karbord.yaml" --karbor "$bin/karbor" \
  --openrc "$tenant" --endpoint "http://$listen" "$@"
