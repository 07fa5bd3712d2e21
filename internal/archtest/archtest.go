// Package archtest keeps the floors and walls of the house: which package may
// import which. Its tests read the import graph of the whole module.
package archtest

import (
	"fmt"
	"slices"
	"strings"
)

// Module is the module's path.
const Module = "github.com/karbor/karbor"

// Package is one package of the module: its path within the module ("" is the
// root) and the paths, within the module, of the module's packages that it
// imports.
type Package struct {
	Path    string
	Imports []string
}

// floors gives the floor of each room by the first parts of its path. Within
// one floor, a room imports only what stands before it in the list.
var floors = [][]string{
	{""},
	{"plugin"},
	{"bank", "protectable", "protection", "internal/evidence", "client"},
	{"internal/telemetry", "internal/schema", "internal/openstack", "internal/blockstorage", "internal/database", "internal/kubernetes", "internal/keymanager", "internal/policy", "internal/trigger", "internal/config", "internal/repository"},
	{"internal/workflow", "internal/workflow/local", "internal/workflow/temporal", "internal/store", "internal/checkpoint", "internal/quota", "internal/retention", "internal/compliance"},
	{"internal/provider", "internal/protectionservice", "internal/operationengine"},
	{"internal/api", "internal/web", "internal/cli", "internal/daemon"},
	{"cmd/karbord", "cmd/karbor"},
}

// suites are the conformance suites, which tests import and products do not.
var suites = []string{
	"bank/banktest", "protectable/protectabletest", "protection/protectiontest",
	"internal/workflow/workflowtest", "internal/workflow/temporal/temporaltest", "internal/store/storetest", "internal/karbortest",
	"internal/repository/repositorytest",
}

// shared holds what stands beside a contract and serves all of its plug-ins.
var shared = []string{"bank/wrap", "bank/remote"}

// examples holds plug-ins for their authors to read: each keeps the rules of the wings, and no program
// links it.
const examples = "examples"

// outside holds what is no part of the product: the simulated cloud, the test
// programs, and this package.
var outside = []string{"internal/testcloud", "internal/archtest", "test"}

func within(path, room string) bool {
	return path == room || strings.HasPrefix(path, room+"/")
}

func withinAny(path string, rooms []string) bool {
	return slices.ContainsFunc(rooms, func(room string) bool { return within(path, room) })
}

// wing gives the contract that a room of the side wing keeps ("bank" for
// "bank/file"), or "".
func wing(path string) string {
	contract, room, ok := strings.Cut(path, "/")
	if ok && room != "" && !withinAny(path, suites) && !withinAny(path, shared) && slices.Contains([]string{"bank", "protectable", "protection"}, contract) {
		return contract
	}
	return ""
}

// isExample reports whether a package is an example.
func isExample(path string) bool { return within(path, examples) && path != examples }

// place gives a package's floor and its place on the floor; ok is false for one
// that has no place in the house.
func place(path string) (floor, spot int, ok bool) {
	best := -1
	for f, rooms := range floors {
		for s, room := range rooms {
			if (path == room || room != "" && within(path, room)) && len(room) >= best {
				best, floor, spot, ok = len(room), f, s, true
			}
		}
	}
	return floor, spot, ok
}

// Check gives a sentence for each import that breaks a rule, and for each package
// that has no place.
func Check(packages []Package) []string {
	var faults []string
	for _, p := range packages {
		if _, _, ok := place(p.Path); !ok && !isExample(p.Path) && !withinAny(p.Path, outside) {
			faults = append(faults, fmt.Sprintf("%s has no place in the house: give it one in internal/archtest", p.Path))
			continue
		}
		for _, to := range p.Imports {
			if why := forbidden(p.Path, to); why != "" {
				faults = append(faults, fmt.Sprintf("%s imports %s: %s", p.Path, to, why))
			}
		}
	}
	return faults
}

// forbidden says why from may not import to, or gives "".
func forbidden(from, to string) string {
	const sideFloor = 3
	switch {
	case withinAny(from, outside) || withinAny(from, suites):
		return forbiddenInTests(from, to)
	case within(to, "internal/testcloud"):
		if within(from, "cmd/karbord") {
			return ""
		}
		return "only cmd/karbord starts the simulated cloud; the product does not know it"
	case withinAny(to, suites) || withinAny(to, outside):
		return "the product does not import tests"
	case within(to, "internal/store") && to != "internal/store" && to != "internal/store/database" && !within(from, "internal/store"):
		return "who uses the store knows internal/store, not its rooms"
	case isExample(to):
		return "an example is for reading: nothing links it"
	case wing(to) != "":
		if within(from, "cmd/karbord") || within(from, to) {
			return ""
		}
		return "only cmd/karbord knows the plug-ins"
	}
	toFloor, toSpot, _ := place(to)
	if wing(from) != "" || isExample(from) {
		if toFloor > sideFloor {
			return "a plug-in imports floors 0 to 3 only"
		}
		return ""
	}
	fromFloor, fromSpot, _ := place(from)
	if within(from, "internal/cli") || within(from, "internal/web") || from == "cmd/karbor" {
		if toFloor > 2 && !within(to, "internal/cli") && !within(to, "internal/web") {
			return "the user's side reaches the service through client only"
		}
	}
	if toFloor > fromFloor || toFloor == fromFloor && toSpot > fromSpot {
		return fmt.Sprintf("floor %d reaches up to floor %d", fromFloor, toFloor)
	}
	return ""
}

func forbiddenInTests(from, to string) string {
	if within(from, "internal/testcloud") && to != "" && !within(to, "internal/testcloud") {
		return "the simulated cloud knows nothing of the product"
	}
	return ""
}
