#!/bin/bash
# The contract suite of the simulated cloud, the plug-ins' own tests one after the
# other (each compares what the project has), a schedule whose user's token is dead, and then the demo's story, on the
# OpenStack that up.sh has started. Cinder's backups need tokens that live longer
# than they take: not LAB_TOKEN_SECONDS=60.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${OSLAB:-/var/tmp/oslab}
[ -r "$lab/openrc-alpha" ] || { echo "no OpenStack here: run make openstack-up first" >&2; exit 2; }
cd "$root"
KARBOR_TEST_OPENSTACK=$lab go test -count=1 -timeout 60m -tags openstack -run OpenStack ./internal/testcloud/contract
(
  . "$lab/openrc-beta"
  export KARBOR_TEST_CLOUD_OTHER="$OS_AUTH_URL,$OS_USERNAME,$OS_PASSWORD,$OS_PROJECT_NAME"
  . "$lab/openrc-alpha"
  export KARBOR_TEST_CLOUD="$OS_AUTH_URL,$OS_USERNAME,$OS_PASSWORD,$OS_PROJECT_NAME"
  go test -count=1 -p 1 -timeout 60m -tags openstack -run OpenStack ./protection/...
)
KARBOR_TEST_OPENSTACK=$lab go test -count=1 -v -timeout 20m -tags openstack -run OpenStack ./test/schedules
"$here/demo.sh"
