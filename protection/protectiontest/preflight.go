package protectiontest

import (
	"slices"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/protection"
)

// preflight looks ahead at a restore, which must change nothing, and gives whether it
// has found that the restore would fail.
func (b *bench) preflight(t *testing.T, source Source, kept *bank) (fails bool) {
	t.Helper()
	look := b.Plugin.Hooks(karbor.RestoreOperation, b.Type).Preflight
	if look == nil {
		return false
	}
	op, there := newOperation(), b.Inventory(t)
	b.faults.arm(-1, before, nil)
	found, err := look(t.Context(), b.call(op, kept, source, source.Restore))
	if err != nil {
		t.Fatalf("looking ahead at the restore: %v", err)
	}
	b.expect(t, "after looking ahead at the restore", there)
	if op.scratch != nil || op.id != "" || len(op.parts) > 0 {
		t.Error("looking ahead at the restore has recorded something")
	}
	return slices.ContainsFunc(found.Findings, func(f protection.Finding) bool {
		if f.Message == "" || f.Severity == protection.SeverityError && f.Remedy == "" {
			t.Errorf("a finding says too little: %+v", f)
		}
		t.Logf("%s: %s %s", f.Severity, f.Message, f.Remedy)
		return f.Severity == protection.SeverityError
	})
}

// foresee looks ahead at a protect, where there is nothing in the bank yet. It must change nothing.
func (b *bench) foresee(t *testing.T, source Source) {
	t.Helper()
	look := b.Plugin.Hooks(karbor.Protect, b.Type).Preflight
	if look == nil {
		return
	}
	op, there := newOperation(), b.Inventory(t)
	b.faults.arm(-1, before, nil)
	call := b.call(op, newBank(), source, source.Options)
	call.Documents, call.Data = nil, nil
	if _, err := look(t.Context(), call); err != nil {
		t.Fatalf("looking ahead at the protect: %v", err)
	}
	b.expect(t, "after looking ahead at the protect", there)
	if op.scratch != nil || op.id != "" || len(op.parts) > 0 {
		t.Error("looking ahead at the protect has recorded something")
	}
}
