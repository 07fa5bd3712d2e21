package delegation_test

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// stern is a Keystone that gives no trusts to tokens of application credentials.
type stern struct{ keystone }

func (stern) DelegateUntil(context.Context, *karbor.Identity, time.Time) (openstack.Delegation, error) {
	return openstack.Delegation{}, karbor.Errorf(karbor.Forbidden, "Keystone gives no trust to this token")
}

func (stern) Resume(context.Context, openstack.Delegation) (karbor.Cloud, error) { return nil, nil }

func TestARegisteredCredentialIsLentToAScheduleWhereThereIsNoTrust(t *testing.T) {
	path := filepath.Join(t.TempDir(), "karbor.db")
	storetest.NewFile(t, path)
	db, err := store.Open(t.Context(), path, store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := delegation.New(delegation.Options{
		Store: db, Authority: stern{}, Key: bytes.Repeat([]byte("k"), 32), Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	id := karbor.NewID()
	if _, err := r.Lend(t.Context(), user, "p", id); karbor.KindOf(err) != karbor.Forbidden {
		t.Fatalf("with neither a trust nor a credential: %v", err)
	}
	if _, err := r.RegisterCredential(t.Context(), user, "credential", "secret"); err != nil {
		t.Fatal(err)
	}
	lent, err := r.Lend(t.Context(), user, "p", id)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, db, id, lent)
	kept, err := db.Schedules(t.Context(), []string{id})
	if err != nil || kept[id].DelegationKind != karbor.DelegationCredential || kept[id].DelegationState != karbor.DelegationGood {
		t.Errorf("kept is %+v, %v", kept[id], err)
	}
	if n := sweep(t, r, db, time.Now().Add(time.Hour)); n != 0 {
		t.Errorf("%d trusts are looked for that were never made", n)
	}
}
