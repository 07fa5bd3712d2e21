package protectiontest

import (
	"maps"
	"net/http"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// Single runs single hooks of a plug-in for one resource, where a test looks at
// what lies between them. Its bank outlives an operation.
type Single struct {
	plugin protection.Plugin
	source Source
	kept   *bank
	op     *operation
}

// NewSingle begins with an empty bank. Of the source only the graph, the key and the
// parameters count.
func NewSingle(p protection.Plugin, source Source) *Single {
	return &Single{plugin: p, source: source, kept: newBank()}
}

// Begin begins an operation in the session's name. children are the new ids of the
// nodes that are restored already.
func (s *Single) Begin(cloud karbor.Cloud, children map[karbor.NodeKey]string, parameters map[string]any) *protection.Call {
	s.op = newOperation()
	maps.Copy(s.op.nodes, children)
	b := &bench{Case: Case{Plugin: s.plugin}, cloud: cloud, faults: &faults{base: http.DefaultTransport, left: -1}}
	return b.call(s.op, s.kept, s.source, parameters)
}

// Run runs a hook as the service does: what may pass is tried again.
func (s *Single) Run(t *testing.T, hook protection.Hook, call *protection.Call) error {
	t.Helper()
	return again(t.Context(), hook, call)
}

// LookAhead looks ahead at the restore that a call is of.
func (s *Single) LookAhead(t *testing.T, call *protection.Call) *protection.Forecast {
	t.Helper()
	look := s.plugin.Hooks(karbor.RestoreOperation, call.Node.Type).Preflight
	if look == nil {
		t.Fatal("a dry run of the restore says that it is ready: there is no look ahead")
	}
	f, err := look(t.Context(), call)
	if err != nil {
		t.Fatalf("looking ahead at the restore: %v", err)
	}
	return f
}

// Errors gives the messages of a forecast that say that the restore would fail.
func Errors(f *protection.Forecast) []string {
	var out []string
	for _, finding := range f.Findings {
		if finding.Severity == protection.SeverityError {
			out = append(out, finding.Message)
		}
	}
	return out
}

// Result gives what the operation has told so far.
func (s *Single) Result() Restored { return s.op.restored() }
