package chunks_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
)

// broken is what a bank over a network gives when its connection breaks: the cause is that of
// the HTTP client.
func broken(cause error) error {
	err := karbor.Transientf("the bank does not answer now")
	err.Cause = cause
	return err
}

func TestConnectionThatBreaksIsNeitherAnEndNorDamage(t *testing.T) {
	data := random(5500)
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF} {
		for nth := 2; nth <= 6; nth++ { // 1 reads the manifest
			for _, after := range []int64{0, 1} {
				f := banktest.NewFaulty(banktest.NewMemory())
				c := open(t, f)
				if err := write(t, c, data); err != nil {
					t.Fatal(err)
				}
				f.Add(banktest.Fault{Method: banktest.Get, Nth: nth, Onward: true, AfterBytes: after, Err: broken(cause)})
				if err := c.Verify(t.Context(), "x", nil); !karbor.IsTransient(err) {
					t.Errorf("get %d: %v: verified with %v", nth, cause, err)
				}
				f.Heal()
				f.Add(banktest.Fault{Method: banktest.Get, Nth: nth, Onward: true, AfterBytes: after, Err: broken(cause)})
				r, err := c.Open(t.Context(), "x")
				if err != nil {
					t.Fatal(err)
				}
				var got bytes.Buffer
				if _, err = io.Copy(&got, r); !karbor.IsTransient(err) || !bytes.HasPrefix(data, got.Bytes()) {
					t.Errorf("get %d: %v: %d bytes came with %v", nth, cause, got.Len(), err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}
