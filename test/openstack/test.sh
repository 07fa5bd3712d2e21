#!/bin/bash
# The parts of the test on the OpenStack that up.sh has started, one after the other (each
# compares what its project has): the contract suite of the simulated cloud, each plug-in's
# own tests, restores into other projects and clouds and in place, the proofs of a checkpoint
# (verification, copy, drill), a schedule whose user's
# token is dead, the demo's story, and the restores elsewhere once more with tokens that live
# for a minute. PARTS chooses some of them. All are run, and what failed is told at the end.
# Cinder's backups need tokens that live longer than they take: the part volumebackup fails
# on an OpenStack that was started with LAB_TOKEN_SECONDS=60.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
lab=${OSLAB:-/var/tmp/oslab}
[ -r "$lab/openrc-alpha" ] || { echo "no OpenStack here: run make openstack-up first" >&2; exit 2; }
cd "$root" || exit 2
export KARBOR_TEST_OPENSTACK=$lab
all="contract image network share volumesnapshot volumebackup server volumeglance crossing proof schedules story tokens"

# login prints the four words by which the tests log in as the user of an openrc file.
login() (
  # shellcheck source=/dev/null
  . "$lab/openrc-$1"
  echo "$OS_AUTH_URL,$OS_USERNAME,$OS_PASSWORD,$OS_PROJECT_NAME"
)

run() {
  case $1 in
    contract) go test -count=1 -timeout 60m -tags openstack -run OpenStack ./internal/testcloud/contract ;;
    crossing | schedules) go test -count=1 -timeout 60m -tags openstack -run OpenStack "./test/$1" ;;
    proof) go test -count=1 -timeout 60m -tags openstack -run OpenStackCheckpoint ./test/failure ;;
    story) "$here/demo.sh" ;;
    tokens)
      local code=0
      LAB_TOKEN_SECONDS=60 "$here/up.sh" && run crossing || code=$?
      "$here/up.sh" || code=$?
      return $code
      ;;
    *)
      [ -e "protection/$1/real_test.go" ] || { echo "there is no part $1; the parts are: $all" >&2; return 2; }
      KARBOR_TEST_CLOUD=$(login alpha) KARBOR_TEST_CLOUD_OTHER=$(login beta) KARBOR_TEST_VOLUME_TYPES=nfs \
        go test -count=1 -timeout 60m -tags openstack -run OpenStack "./protection/$1"
      ;;
  esac
}

failed=()
for part in ${PARTS:-$all}; do
  began=$SECONDS
  run "$part" || failed+=("$part")
  echo "part $part took $((SECONDS - began)) s"
done
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
