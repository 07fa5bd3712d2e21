package drill_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/protectionservice/drill"
	"github.com/karbor/karbor/protection"
)

// ledger keeps what a drill holds: the kinds, with how many are there and asked for.
type ledger struct{ held map[string]protection.Holding }

// Hold implements protection.Ledger.
func (l ledger) Hold(_ context.Context, h protection.Holding) error {
	if h.ID == "" {
		l.held[string(h.Kind)+" asked "+h.Asked] = h
		return nil
	}
	delete(l.held, string(h.Kind)+" asked "+h.Asked)
	l.held[string(h.Kind)+" "+h.ID] = h
	return nil
}

// Release implements protection.Ledger.
func (l ledger) Release(_ context.Context, kind protection.HoldingKind, id string) error {
	delete(l.held, string(kind)+" "+id)
	return nil
}

// kinds gives what is held, in order; a thing that is only asked for has a question mark.
func (l ledger) kinds() []string {
	var out []string
	for h := range maps.Values(l.held) {
		word := string(h.Kind)
		if h.ID == "" {
			word += "?"
		}
		out = append(out, word)
	}
	slices.Sort(out)
	return out
}

func TestNetworksAndProbesOfADrillAreInTheLedgerAsLongAsTheyAreThere(t *testing.T) {
	s := newStage(t)
	l := ledger{map[string]protection.Holding{}}
	site, own := *s.site, *s.call
	site.Drill, site.Ledger, own.Drill, own.Ledger = true, l, true, l
	s.site, s.call = &site, &own
	networks := []protection.DrillNetwork{{ID: originalNetwork, Subnets: []protection.DrillSubnet{{ID: originalSubnet, CIDR: "10.20.30.0/24"}}}}
	if err := drill.Isolate(t.Context(), s.site, networks); err != nil { // finds what the stage has made
		t.Fatal(err)
	}
	lan := []string{"network", "security_group", "subnet"}
	if diff := cmp.Diff(lan, l.kinds()); diff != "" {
		t.Errorf("of the networks there is (-want +got):\n%s", diff)
	}
	s.dial = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		return here, there.Close()
	}
	s.probe(drill.PortProbe, karbor.DrillProbes{Port: &karbor.PortProbe{Port: 22, Timeout: 5}})
	if diff := cmp.Diff([]string{"network", "router", "security_group", "subnet"}, l.kinds()); diff != "" {
		t.Errorf("behind the probe of a port there is (-want +got):\n%s", diff)
	}
	for _, h := range l.held {
		if h.Node != site.Node.Key() || !h.Drill {
			t.Errorf("%+v does not go with the drill's networks", h)
		}
	}
	s.disk(&watched{})
	disk := *s.call
	disk.Drill, disk.Ledger = true, l
	s.call = &disk
	s.probe(drill.VolumeProbe, karbor.DrillProbes{Volume: &karbor.VolumeProbe{}})
	if diff := cmp.Diff([]string{"network", "router", "security_group", "subnet"}, l.kinds()); diff != "" {
		t.Errorf("behind the probe of a volume there is (-want +got):\n%s", diff)
	}
	s.clear()
}

// full is a ledger that takes nothing.
type full struct{ ledger }

var errFull = errors.New("the ledger is full")

// Hold implements protection.Ledger.
func (full) Hold(context.Context, protection.Holding) error { return errFull }

func TestNothingOfADrillIsMadeThatTheLedgerDoesNotKnow(t *testing.T) {
	s := newStage(t)
	before := s.Inventory(t)
	site := *s.site
	site.OperationID, site.Drill, site.Ledger = "9a1d5e72-6f0b-4c0e-8a63-b2f1c3d4e5f6", true, full{}
	err := drill.Isolate(t.Context(), &site, []protection.DrillNetwork{{ID: originalNetwork}})
	if !errors.Is(err, errFull) {
		t.Errorf("the error is %v", err)
	}
	if diff := cmp.Diff(before, s.Inventory(t)); diff != "" {
		t.Errorf("the cloud has (-before +now):\n%s", diff)
	}
	s.clear()
}
