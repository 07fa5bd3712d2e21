package checkpoint

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor/bank"
)

// unreadable is a bank that gives some states not, and knows which were asked for.
type unreadable struct {
	bank.Bank
	bad   string
	asked []string
}

var errBroken = errors.New("input/output error")

func (u *unreadable) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, statesRoot) {
		u.asked = append(u.asked, key)
		if strings.Contains(key, u.bad) {
			return nil, errBroken
		}
	}
	return u.Bank.Get(ctx, key, offset, length)
}

// TestOverviewsAfterOneReadNothingBeforeItAndBearWhatCantBeRead: who looks at some checkpoints each
// day neither pays for those of the days before, nor stops for good at a broken one.
func TestOverviewsAfterOneReadNothingBeforeItAndBearWhatCantBeRead(t *testing.T) {
	c := newClock()
	m := memory(c)
	cs := open(t, m, c, "a")
	ids := []string{volumeID, imageID, cpID, serverID} // in their order
	for _, id := range ids {
		must(t, cs.CreateAvailable(t.Context(), other(id, 0), Change{}))
	}
	u := &unreadable{Bank: m, bad: cpID}
	reading, err := Open(t.Context(), u, Options{Now: c.Now})
	must(t, err)
	for _, test := range []struct {
		after string
		want  []string
	}{
		{"", []string{volumeID + " available <nil>", imageID + " available <nil>", cpID + "  " + errBroken.Error(), serverID + " available <nil>"}},
		{project + "/" + imageID, []string{cpID + "  " + errBroken.Error(), serverID + " available <nil>"}},
		{project + "/" + serverID, nil},
	} {
		u.asked = nil
		var got []string
		must(t, reading.OverviewsAfter(t.Context(), test.after, func(o Overview, err error) error {
			text := "<nil>"
			if errors.Is(err, errBroken) {
				text = errBroken.Error()
			}
			got = append(got, o.ID+" "+string(o.Status)+" "+text)
			return nil
		}))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("after %q: %s", test.after, diff)
		}
		if len(u.asked) != len(test.want) {
			t.Errorf("after %q: it reads %q", test.after, u.asked)
		}
	}
	enough := errors.New("enough")
	if err := reading.OverviewsAfter(t.Context(), "", func(Overview, error) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("it ends with %v", err)
	}
}
