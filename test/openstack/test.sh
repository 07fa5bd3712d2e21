#!/bin/bash
# The contract suite of the simulated cloud, and then the demo's story, on the
# OpenStack that up.sh has started.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${OSLAB:-/var/tmp/oslab}
[ -r "$lab/openrc-alpha" ] || { echo "no OpenStack here: run make openstack-up first" >&2; exit 2; }
cd "$root"
KARBOR_TEST_OPENSTACK=$lab go test -count=1 -timeout 60m -tags openstack -run OpenStack ./internal/testcloud/contract
"$here/demo.sh"
