package repository_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/repository"
)

func TestConnectionThatBreaksIsNeitherAnEndNorDamage(t *testing.T) {
	m := banktest.NewMemory()
	f := banktest.NewFaulty(m)
	data := random(3<<20, 1)
	d := domains(t, repository.Options{Bank: f})
	store(t, node(t, f, d, "1"), "volume", data)
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF} {
		broken := karbor.Transientf("the bank does not answer now")
		broken.Cause = cause
		for _, after := range []int64{0, 1} {
			fault := banktest.Fault{Method: banktest.Get, Nth: 4, Onward: true, AfterBytes: after, Err: broken}
			f.Add(fault)
			if err := node(t, f, d, "1").Verify(t.Context(), "volume", nil); !karbor.IsTransient(err) {
				t.Errorf("%v after %d bytes: verified with %v", cause, after, err)
			}
			f.Heal()
			r, err := node(t, f, d, "1").Open(t.Context(), "volume")
			if err != nil {
				t.Fatal(err)
			}
			fault.Nth = 1
			f.Add(fault)
			var got bytes.Buffer
			_, err = io.Copy(&got, r)
			if f.Heal(); got.Len() < len(data) && !karbor.IsTransient(err) || !bytes.HasPrefix(data, got.Bytes()) {
				t.Errorf("%v after %d bytes: %d bytes came with %v", cause, after, got.Len(), err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	for key := range m.Snapshot() {
		if strings.Contains(key, "/damaged/") {
			t.Errorf("a sound pack was marked as damaged: %s", key)
		}
	}
}
