package delegation_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/protectionservice/delegation"
	"github.com/karbor/karbor/internal/store"
	"github.com/karbor/karbor/internal/store/storetest"
)

// keystone keeps trusts in a folder, one file each, so that they outlive a process.
type keystone struct {
	folder string
	// lent, if any, runs when a trust is made.
	lent func()
	// taken, if any, is how many times more the end of a trust is another's.
	taken *int
	// listed, if any, says whether a trust of another lending ends at a time.
	listed func(end time.Time) (bool, error)
}

func (k keystone) file(user, project string, end time.Time) string {
	return filepath.Join(k.folder, user+" "+project+" "+end.Format(time.RFC3339))
}

func (k keystone) DelegateUntil(_ context.Context, who *karbor.Identity, end time.Time) (openstack.Delegation, error) {
	if !who.CanDelegate {
		return openstack.Delegation{}, karbor.Errorf(karbor.Forbidden, "no trust is given to this token")
	}
	if k.taken != nil && *k.taken > 0 {
		*k.taken--
		return openstack.Delegation{}, karbor.Errorf(karbor.Conflict, "Keystone has it already")
	}
	file := k.file(who.UserID, who.ProjectID, end)
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return openstack.Delegation{}, err
	}
	if k.lent != nil {
		k.lent()
	}
	return openstack.Delegation{TrustID: filepath.Base(file), UserID: who.UserID, ProjectID: who.ProjectID, ExpiresAt: end}, f.Close()
}

func (k keystone) TrustsUntil(_ context.Context, user, project string, end time.Time) ([]openstack.Delegation, error) {
	file := k.file(user, project, end)
	if k.listed != nil {
		if taken, err := k.listed(end); taken || err != nil {
			return []openstack.Delegation{{TrustID: "another"}}, err
		}
	}
	if _, err := os.Stat(file); err != nil {
		return nil, nil //nolint:nilerr // there is none
	}
	return []openstack.Delegation{{TrustID: filepath.Base(file), UserID: user, ProjectID: project, ExpiresAt: end}}, nil
}

func (k keystone) Revoke(_ context.Context, d openstack.Delegation) error {
	return os.Remove(filepath.Join(k.folder, d.TrustID))
}

var errUnused = errors.New("this is not used here")

func (keystone) Delegate(context.Context, *karbor.Identity, time.Duration) (openstack.Delegation, error) {
	return openstack.Delegation{}, errUnused
}
func (keystone) Resume(context.Context, openstack.Delegation) (karbor.Cloud, error) {
	return nil, errUnused
}
func (keystone) Probe(context.Context, openstack.Delegation) error          { return errUnused }
func (keystone) Prefer(openstack.Delegation, *karbor.Identity) karbor.Cloud { return nil }
func (keystone) Password(context.Context, string, openstack.PasswordAuth) (karbor.Cloud, error) {
	return nil, errUnused
}

func open(t *testing.T, folder string, lifetime time.Duration, lent func()) (*delegation.Registry, *store.Store) {
	t.Helper()
	return openWith(t, folder, lifetime, keystone{lent: lent})
}

func openWith(t *testing.T, folder string, lifetime time.Duration, k keystone) (*delegation.Registry, *store.Store) {
	t.Helper()
	path := filepath.Join(folder, "karbor.db")
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
	k.folder = filepath.Join(folder, "trusts")
	if err := os.MkdirAll(k.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := delegation.New(delegation.Options{
		Store: db, Authority: k, Key: bytes.Repeat([]byte("k"), 32), Lending: delegation.Lending{Lifetime: lifetime},
		Now: time.Now, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r, db
}

var user = &karbor.Identity{UserID: "u", ProjectID: "p", Roles: []string{"member"}, CanDelegate: true}

// trusts gives how many trusts there are.
func trusts(t *testing.T, folder string) int {
	t.Helper()
	all, err := os.ReadDir(filepath.Join(folder, "trusts"))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// sweep gives back what was left by a time.
func sweep(t *testing.T, r *delegation.Registry, db *store.Store, now time.Time) int {
	t.Helper()
	left, err := db.LeftLendings(t.Context(), now, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range left {
		if err := errors.Join(r.Reclaim(t.Context(), l), db.EndLending(t.Context(), l.ID, time.Time{})); err != nil {
			t.Fatal(err)
		}
	}
	return len(left)
}

// keep keeps a scheduled operation with what was lent to it.
func keep(t *testing.T, db *store.Store, id string, lent store.Lent) {
	t.Helper()
	g := karbor.Trigger{ID: karbor.NewID(), ProjectID: "p", Name: "t", Type: karbor.TimeTrigger,
		Properties: karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 0 1 1 *", StartTime: time.Now()}}
	o := karbor.ScheduledOperation{ID: id, ProjectID: "p", UserID: "u", Name: "o", OperationType: karbor.ScheduledVerify, TriggerID: g.ID,
		Definition: karbor.OperationDefinition{ProviderID: "b"}, Enabled: true}
	if err := errors.Join(db.CreateTrigger(t.Context(), g), db.CreateSchedule(t.Context(), o, karbor.OverlapSkip, &lent)); err != nil {
		t.Fatal(err)
	}
}

// dying names the folder of the test in the process that dies in it.
const dying = "KARBOR_TEST_DYING"

func TestAKillBetweenTheTrustAndItsScheduleLeavesNoTrust(t *testing.T) {
	if folder := os.Getenv(dying); folder != "" {
		r, _ := open(t, folder, 0, func() {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Kill()
			}
			t.Error(err)
			select {}
		})
		_, err := r.Lend(t.Context(), user, "p", karbor.NewID())
		t.Fatalf("it lives on: %v", err)
	}
	folder := t.TempDir()
	r, db := open(t, folder, 0, nil)
	kept := karbor.NewID()
	lent, err := r.Lend(t.Context(), user, "p", kept)
	if err != nil || !lent.End.IsZero() {
		t.Fatalf("lent is %+v, %v", lent, err)
	}
	keep(t, db, kept, lent)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), dying+"="+folder)
	if out, err := cmd.CombinedOutput(); err == nil || bytes.Contains(out, []byte("FAIL")) {
		t.Fatalf("the process was to be killed: %v, %s", err, out)
	}
	if n := trusts(t, folder); n != 2 {
		t.Fatalf("there are %d trusts, want the one that is kept and the one that was left", n)
	}
	if n := sweep(t, r, db, time.Now()); n != 0 {
		t.Errorf("at once %d were looked for; a request may still be under way", n)
	}
	if n := sweep(t, r, db, time.Now().Add(time.Hour)); n != 1 || trusts(t, folder) != 1 {
		t.Errorf("%d were looked for, and %d trusts are there; want the one that is kept", n, trusts(t, folder))
	}
	if n := sweep(t, r, db, time.Now().Add(24*time.Hour)); n != 0 {
		t.Errorf("%d are looked for again", n)
	}
}

func TestWhatIsLentForATimeEndsThenAndIsToldApart(t *testing.T) {
	const lifetime = 30 * 24 * time.Hour
	folder := t.TempDir()
	r, db := open(t, folder, lifetime, nil)
	now := time.Now()
	lent, err := r.Lend(t.Context(), user, "p", karbor.NewID())
	if err != nil {
		t.Fatal(err)
	}
	if left := lent.End.Sub(now); left > lifetime+time.Minute || left < lifetime-2*time.Hour {
		t.Errorf("it ends after %s", left)
	}
	// As if the request had failed, and could not give it back.
	if n := sweep(t, r, db, now.Add(time.Hour)); n != 1 || trusts(t, folder) != 0 {
		t.Errorf("%d were looked for, and %d trusts are there", n, trusts(t, folder))
	}
	// A request that took so long gets no scheduled operation without its trust.
	g := karbor.Trigger{ID: karbor.NewID(), ProjectID: "p", Name: "t", Type: karbor.TimeTrigger,
		Properties: karbor.TriggerProperties{Format: karbor.Crontab, Pattern: "0 0 1 1 *", StartTime: now}}
	o := karbor.ScheduledOperation{ID: karbor.NewID(), ProjectID: "p", UserID: "u", Name: "late", OperationType: karbor.ScheduledVerify,
		TriggerID: g.ID, Definition: karbor.OperationDefinition{ProviderID: "b"}}
	if err := db.CreateTrigger(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateSchedule(t.Context(), o, karbor.OverlapSkip, &lent); !karbor.IsTransient(err) {
		t.Errorf("with a trust that was given back: %v", err)
	}
}

func TestATrustWhoseEndIsTakenEndsAtAnother(t *testing.T) {
	folder, taken := t.TempDir(), 3
	r, db := openWith(t, folder, time.Hour, keystone{taken: &taken})
	id := karbor.NewID()
	lent, err := r.Lend(t.Context(), user, "p", id)
	if err != nil {
		t.Fatal(err)
	}
	keep(t, db, id, lent)
	if n := sweep(t, r, db, time.Now().Add(time.Hour)); n != 0 || trusts(t, folder) != 1 {
		t.Errorf("%d lendings are left, and there are %d trusts; want none and the one that is kept", n, trusts(t, folder))
	}
	taken = 1000
	wantNone(t, r, db)
}

// wantNone has a user lend where all ends are taken: nothing is left of it, and it may be tried again.
func wantNone(t *testing.T, r *delegation.Registry, db *store.Store) {
	t.Helper()
	_, err := r.Lend(t.Context(), user, "p", karbor.NewID())
	if karbor.KindOf(err) != karbor.Unavailable || !karbor.IsTransient(err) || !strings.Contains(err.Error(), "try again in a minute") {
		t.Errorf("with all ends taken the error is %v", err)
	}
	if n := sweep(t, r, db, time.Now().Add(time.Hour)); n != 0 {
		t.Errorf("%d lendings are left", n)
	}
}

func TestATrustThatIsLentForATimeEndsWhereNoOtherDoes(t *testing.T) {
	folder := t.TempDir()
	asked := map[time.Time]bool{}
	everything := false
	r, db := openWith(t, folder, 30*24*time.Hour, keystone{listed: func(end time.Time) (bool, error) {
		asked[end] = true
		return everything || len(asked) <= 3, nil
	}})
	id := karbor.NewID()
	lent, err := r.Lend(t.Context(), user, "p", id)
	if err != nil || len(asked) < 4 || !asked[lent.End] {
		t.Fatalf("lent is %+v, %v, and %d ends were looked for", lent, err, len(asked))
	}
	keep(t, db, id, lent)
	everything = true
	wantNone(t, r, db)
	if n := trusts(t, folder); n != 1 {
		t.Errorf("there are %d trusts, want the one that is kept", n)
	}
}

func TestTheTrustsOfAllUsersAreListedOnlyWhereItHelps(t *testing.T) {
	refused := karbor.Errorf(karbor.Forbidden, "you may not list trusts")
	without := *user
	without.CanDelegate = false
	for what, test := range map[string]struct {
		who      *karbor.Identity
		lifetime time.Duration
		kind     karbor.Kind // of the error, if listed
		listed   bool
	}{
		"one without an end":               {user, 0, 0, false},
		"one for a time":                   {user, 24 * time.Hour, karbor.Unavailable, true},
		"a user who can't make trusts":     {&without, 24 * time.Hour, 0, false},
		"such a user, and one without end": {&without, 0, 0, false},
	} {
		listed := false
		r, db := openWith(t, t.TempDir(), test.lifetime, keystone{listed: func(time.Time) (bool, error) {
			listed = true
			return false, refused
		}})
		_, err := r.Lend(t.Context(), test.who, "p", karbor.NewID())
		if listed != test.listed {
			t.Errorf("%s: listed is %v", what, listed)
		}
		if test.listed && (err == nil || karbor.KindOf(err) != test.kind || strings.Contains(err.Error(), "application credential")) {
			t.Errorf("%s: the error is %v", what, err)
		}
		if n := sweepRows(t, db); test.listed && n != 0 {
			t.Errorf("%s: %d lendings are left", what, n)
		}
	}
}

// sweepRows gives how many lendings may have been left by the time they are looked for.
func sweepRows(t *testing.T, db *store.Store) int {
	t.Helper()
	left, err := db.LeftLendings(t.Context(), time.Now().Add(time.Hour), 10)
	if err != nil {
		t.Fatal(err)
	}
	return len(left)
}

func TestWhatIsLentEndsAtAnEvenSecond(t *testing.T) {
	for _, lifetime := range []time.Duration{0, time.Minute, 30 * 24 * time.Hour} {
		folder := t.TempDir()
		r, _ := open(t, folder, lifetime, nil)
		for range 8 {
			if _, err := r.Lend(t.Context(), user, "p", karbor.NewID()); err != nil && !karbor.IsTransient(err) {
				t.Fatal(err)
			}
		}
		all, err := os.ReadDir(filepath.Join(folder, "trusts"))
		if err != nil || len(all) == 0 {
			t.Fatalf("%d trusts, %v", len(all), err)
		}
		for _, one := range all {
			end, err := time.Parse(time.RFC3339, one.Name()[strings.LastIndexByte(one.Name(), ' ')+1:])
			if err != nil || end.Unix()%2 != 0 {
				t.Errorf("%s: one ends at %s, %v", lifetime, end, err)
			}
		}
	}
}
