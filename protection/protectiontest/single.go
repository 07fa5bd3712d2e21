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

// Result gives what the operation has told so far.
func (s *Single) Result() Restored { return s.op.restored() }
