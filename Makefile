# Everything is built from the Go sources; CGO is off but for the race detector.
# The toolchain that is there is used: none is downloaded.
export GOTOOLCHAIN ?= local
BIN := bin
LINT := go tool -modfile=tools/go.mod golangci-lint
PACKAGES ?= ./...
REQUESTS ?= 1000000

.PHONY: help build man test check lint vet race bench bench-api bench-peers bench-saturation bench-endurance demo demo-proof demo-selftest demo-crash demo-openstack \
	test-compat model test-bank-faults test-crash openstack-up openstack-down test-openstack test-databases test-triggers soak-schedules bench-schedules test-banks test-kubernetes test-temporal test-multihost bench-flows bench-waiting bench-banks bench-index fuzz clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build karbord and karbor into bin/
	CGO_ENABLED=0 go build -trimpath -o $(BIN)/ ./cmd/karbord ./cmd/karbor

man: ## write karbor's manual pages into dist/man/man1
	go run ./cmd/karbor man dist/man/man1

test: ## run the tests; one that needs a server which the machine lacks skips by name
	go test $(PACKAGES)

check: lint vet race ## what CI does: linters, the heavy suites compiled, then all tests under the race detector; no skips
	go mod tidy -diff

lint: ## formatting and the linters
	$(LINT) run $(PACKAGES)

# The tags of the suites that have a target of their own.
SUITES := banks,compat,croniter,databases,figures,kubernetes,openstack,temporal

vet: ## the tests of the heavy suites compile, too
	go vet -tags $(SUITES) $(PACKAGES)
	go vet -tags temporal,multihost ./test/scaleout

# The detector watches this project, Go's library and the modules, but for SQLite: that is
# C in Go's words, whose memory Go does not see, and watching it took most of the run.
WATCHED := -gcflags=modernc.org/...=-race=false

race: ## all tests under the race detector; a test that skips fails the run
	.ci/noskip -race $(WATCHED) -count=1 -timeout 15m $(PACKAGES)

test-databases: ## the store and the local engine on private PostgreSQL and MariaDB servers; says which package is missing
	go test -count=1 -timeout 30m -tags databases ./internal/store/... ./internal/workflow/local ./cmd/karbord

test-banks: ## the banks on a real S3 server (versitygw, built from its module) and on Swift, through both of its interfaces; no skips
	.ci/noskip -count=1 -timeout 60m -tags banks ./bank/...

test-triggers: ## thousands of random crontabs and events beside Debian's croniter and dateutil; SEED=n
	go test -count=1 -v -tags croniter ./internal/trigger -run 'CroniterSays|DateutilSays' -seed $(SEED)

SEED ?= 1
HOURS ?= 24

soak-schedules: ## two operation engines in fake time, killed at random, and six planted bugs; SEED=n HOURS=n
	go test -count=1 -v -timeout 60m ./internal/operationengine -run Soak -seed $(SEED) -hours $(HOURS)

bench-waiting: ## protect 50 volumes at once: waits over the cloud's own time, requests, what the cores do; a server's first to last snapshot (15 minutes, 10 GB of disk; a quiet machine); VOLUMES=n for fewer
	go test -run "^$$" -bench "VolumesAtOnce|OneServersVolumes" -benchtime 1x -timeout 60m ./test/waiting -volumes $(or $(VOLUMES),50)

bench-schedules: ## 10,000 scheduled operations on one tick, a start with 100,000 triggers, the next time of each kind of pattern (2 minutes)
	go test -run "^$$" -bench "OneTick|ManyTriggers" -benchtime 1x -timeout 10m ./internal/operationengine
	go test -run "^$$" -bench "Next/" -benchtime 5000x ./internal/trigger

PEERS ?=

bench-peers: ## CPU time, memory and bytes beside restic, borg and kopia; RESTIC=, BORG=, KOPIA= name them, PEERS="-data 2000 -rounds 5" sets sizes
	go run ./test/bench/peers $(PEERS)

ENTRIES ?= 170000000

bench-index: ## the index of a repository of 10 TiB of unique data: memory, cost of a look-up (half an hour, 20 GB of disk); ENTRIES=n for fewer
	go test -run "^$$" -bench Index -benchtime 100000x -timeout 180m -v ./internal/repository/index -entries $(ENTRIES)

FLOWS ?=

bench-flows: ## CPU, flows a minute and memory on both engines, take-over, a plan of 5,000 resources (15 minutes; a quiet machine); FLOWS="-checkpoints 100 -nodes 500" for less
	cd test/temporal && CGO_ENABLED=0 go build -o $(CURDIR)/$(BIN)/temporal-server .
	KARBOR_TEMPORAL_SERVER=$(CURDIR)/$(BIN)/temporal-server go test -count=1 -v -timeout 60m -tags "temporal figures" -run FiguresOfFlows ./test/scaleout $(FLOWS) | grep -E '^(---|ok|FAIL)|\|'
	KARBOR_TEMPORAL_SERVER=$(CURDIR)/$(BIN)/temporal-server go test -tags temporal -run '^$$' -bench LargeFlow -benchtime 1x -timeout 30m ./internal/workflow/temporal

bench-banks: ## packs over a line of 100 MB/s with 20 ms latency, to a real S3 server
	go test -tags banks -run "^$$" -bench Packs -benchtime 1x ./bank/s3

bench: ## the benchmarks behind the figures in the documentation
	go test -run "^$$" -bench . -benchtime 1x -timeout 30m ./bank/... ./internal/... ./test/bench

model: ## explore the protocol of writers and collector further (minutes)
	go test -timeout 60m -count=1 -v ./internal/repository/model -whole

test-bank-faults: ## each operation on a bank goes wrong in turn, under writers, collectors and readers (15 minutes of a quiet machine; it tells how far it is)
	go test -timeout 180m -count=1 -v -run 'Lost|Harness' ./internal/repository/collection -whole

KILLS ?= 300
ENGINE ?= local
SEED ?= 1

test-temporal: ## the engine of a fleet, and the service as several processes, on a real Temporal server (built once: 10 minutes), PostgreSQL, MariaDB and an S3 server
	cd test/temporal && CGO_ENABLED=0 go build -o $(CURDIR)/$(BIN)/temporal-server .
	KARBOR_TEMPORAL_SERVER=$(CURDIR)/$(BIN)/temporal-server .ci/noskip -count=1 -timeout 40m -tags temporal ./internal/workflow/temporal -rapid.checks=20
	KARBOR_TEMPORAL_SERVER=$(CURDIR)/$(BIN)/temporal-server .ci/noskip -count=1 -timeout 20m -parallel 6 -tags temporal ./test/scaleout

test-multihost: ## the service on several hosts (network namespaces; root), with links that go down: cut-off workers, dead hosts, a rolling restart under load
	cd test/temporal && CGO_ENABLED=0 go build -o $(CURDIR)/$(BIN)/temporal-server .
	KARBOR_TEMPORAL_SERVER=$(CURDIR)/$(BIN)/temporal-server .ci/noskip -count=1 -timeout 20m -tags "temporal multihost" ./test/scaleout

test-kubernetes: ## pods against a real kube-apiserver and its controllers (built once: half an hour) on Debian's etcd (etcd-server)
	cd test/kubernetes && CGO_ENABLED=0 go build -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v1.35.4" -o $(CURDIR)/$(BIN)/ k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager
	KARBOR_KUBERNETES=$(CURDIR)/$(BIN) .ci/noskip -count=1 -timeout 60m -p 1 -tags kubernetes ./protectable/pod ./protection/pod ./test/pods

CLOUD ?= simulated
CRASH_TAGS := $(filter temporal openstack,$(ENGINE) $(CLOUD))

test-crash: ## the service is killed KILLS times, at the boundaries of its work, when it changes the cloud, and at random moments (3 s each; ENGINE=temporal: 15 s; CLOUD=openstack, that of openstack-up: a minute, so KILLS=25); SEED chooses
ifeq ($(ENGINE),temporal)
	cd test/temporal && CGO_ENABLED=0 go build -o $(CURDIR)/$(BIN)/temporal-server .
endif
	KARBOR_TEMPORAL_SERVER=$(CURDIR)/$(BIN)/temporal-server KARBOR_KILLS=$(KILLS) KARBOR_SEED=$(SEED) KARBOR_TEST_OPENSTACK=$(or $(OSLAB),/var/tmp/oslab) \
		go test -timeout 300m -count=1 -v $(if $(CRASH_TAGS),-tags "$(CRASH_TAGS)") -run '$(if $(filter openstack,$(CLOUD)),OperationsEnd.*ServiceIsKilled,ServiceIsKilled|ByKilling)' ./test/failure

bench-api: ## CPU time of the API for each request; each beside its goal
	go test -run "^$$" -bench "Plan|Checkpoints" -benchtime 500x -timeout 10m ./internal/api
	go test -run "^$$" -bench Memory -benchtime 20x -timeout 10m ./internal/api

bench-saturation: build ## twice what the service can do, for a minute: does it shed and stay quick? (3 minutes; a quiet machine)
	go run ./test/load --karbord $(BIN)/karbord saturation

bench-endurance: build ## a million requests: does the memory stay flat? (REQUESTS=n for another number)
	go run ./test/load --karbord $(BIN)/karbord --requests $(REQUESTS) endurance

fuzz: ## each fuzz test for ten seconds
	.ci/fuzz 10s

demo: build ## the main job: protect an application, destroy it, restore it, compare every byte
	go run ./test/demo --karbord $(BIN)/karbord --karbor $(BIN)/karbor

demo-selftest: build ## plant a wrong byte and wrong properties; the demo must see all
	go run ./test/demo --karbord $(BIN)/karbord --karbor $(BIN)/karbor --selftest

demo-crash: build ## the demo with karbord killed in mid-protect and in mid-restore
	go run ./test/demo --karbord $(BIN)/karbord --karbor $(BIN)/karbor --crash

demo-proof: build ## a drill with its record, and a forged one; then a bit of the bank turned over, and the bank removed: the copy serves (4 minutes)
	go run ./test/demo --karbord $(BIN)/karbord --karbor $(BIN)/karbor --proof

test-compat: ## Debian's clients and policy engine as judges (python3-openstackclient, -karborclient, -oslo.policy)
	go test -count=1 -tags compat -run 'Oslo' ./internal/policy
	cd test/compat && go test -count=1 -tags compat

openstack-up: ## start a real OpenStack on this machine (root; Debian 12; about 5 minutes)
	test/openstack/up.sh

openstack-down: ## stop it
	test/openstack/down.sh

test-openstack: build ## contract suite, plug-ins, restores elsewhere and story against the OpenStack of openstack-up (half an hour; a quiet machine); PARTS="contract image" for some
	test/openstack/test.sh

demo-openstack: build ## the story on a real cloud (settings: docs/operators/real-cloud.md)
	test/openstack/demo.sh

clean: ## remove what was built
	rm -rf $(BIN) dist
