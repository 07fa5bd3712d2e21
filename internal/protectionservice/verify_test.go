package protectionservice_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank"
	"github.com/karbor/karbor/internal/protectionservice"
	"github.com/karbor/karbor/protectable"
	"github.com/karbor/karbor/protection"
)

// keep gives volumes a protect that keeps a document and some data in the bank.
func (s *site) keep() {
	s.script.set(karbor.Protect, karbor.VolumeType, protection.Hooks{Main: func(ctx context.Context, c *protection.Call) error {
		if err := c.Documents.CreateJSON(ctx, "metadata", map[string]string{"name": c.Node.Name}); err != nil {
			return err
		}
		if _, err := c.Data.Stat(ctx, "data"); err == nil {
			return nil
		}
		w, err := c.Data.Create(ctx, "data")
		if err != nil {
			return err
		}
		if _, err := w.Write(bytes.Repeat([]byte(c.Node.ID), 10_000)); err != nil {
			return err
		}
		_, err = w.Commit(ctx)
		return err
	}})
}

func (s *site) verify(checkpoint string, p karbor.Parameters) karbor.Verification {
	s.t.Helper()
	v, err := s.service.Verify(s.t.Context(), s.caller(), protectionservice.VerifyRequest{ProviderID: providerID, CheckpointID: checkpoint, Parameters: p})
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

func (s *site) untilVerified(id string) karbor.Verification {
	s.t.Helper()
	var v karbor.Verification
	s.poll(func() bool {
		var err error
		if v, err = s.store.Verification(s.t.Context(), projectID, id); err != nil {
			s.t.Fatal(err)
		}
		return v.Status != karbor.VerificationVerifying
	})
	return v
}

// objects gives the keys in the bank that hold a text.
func (s *site) objects(part string) []string {
	s.t.Helper()
	infos, err := s.bank.List(s.t.Context(), "", "", bank.MaxList)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, i := range infos {
		if strings.Contains(i.Key, part) {
			out = append(out, i.Key)
		}
	}
	return out
}

// granted is how many delegations were made.
func (s *site) granted() int {
	s.authority.mu.Lock()
	defer s.authority.mu.Unlock()
	return s.authority.granted
}

func (s *site) logOf(id string) karbor.OperationLog {
	s.t.Helper()
	log, err := s.store.OperationLog(s.t.Context(), projectID, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return log
}

const word = "OS::Cinder::Volume#"

func TestASoundCheckpointIsVerified(t *testing.T) {
	s := newSite(t)
	s.keep()
	cp := s.until(s.protect(s.plan(volume("a"), volume("b")))).ID
	delegated := s.granted()
	v := s.verify(cp, nil)
	verifying := map[string]karbor.VerificationStatus{word + "a": karbor.VerificationVerifying, word + "b": karbor.VerificationVerifying}
	if d := cmp.Diff(verifying, v.ResourcesStatus); d != "" || v.Status != karbor.VerificationVerifying {
		t.Errorf("accepted as %+v", v)
	}
	got := s.untilVerified(v.ID)
	want := map[string]karbor.VerificationStatus{word + "a": karbor.VerificationSuccess, word + "b": karbor.VerificationSuccess}
	if d := cmp.Diff(want, got.ResourcesStatus); d != "" || got.Status != karbor.VerificationSuccess || len(got.ResourcesReason) > 0 {
		t.Errorf("ended as %+v", got)
	}
	if log := s.logOf(v.ID); log.Status != karbor.LogSuccess || log.OperationType != karbor.Verify || log.EndedAt.IsZero() {
		t.Errorf("the log is %+v", log)
	}
	progress, err := s.service.VerificationProgress(t.Context(), s.caller(), v.ID)
	if err != nil || len(progress) != 2 || progress[0].State != karbor.ResourceVerified || progress[0].Done != 10_000 || progress[0].Total != 10_000 {
		t.Errorf("the progress is %+v, %v", progress, err)
	}
	// What reads the bank only needs no leave to act for the tenant.
	if now := s.granted(); now != delegated {
		t.Errorf("%d delegations were made", now-delegated)
	}
	if got := s.until(cp); got.Status != karbor.CheckpointAvailable {
		t.Errorf("the checkpoint is %s", got.Status)
	}
}

func TestWhatIsDamagedIsToldByResourceAndTheOthersAreVerifiedAllTheSame(t *testing.T) {
	for name, harm := range map[string]func(s *site, key string){
		"a chunk is lost": func(s *site, _ string) {
			for _, key := range s.objects("/volume/a/data/data/") {
				if !strings.HasSuffix(key, "/manifest") {
					if err := s.bank.Delete(s.t.Context(), key); err != nil {
						s.t.Fatal(err)
					}
				}
			}
		},
		"a document is damaged": func(s *site, _ string) {
			for _, key := range s.objects("/volume/a/documents/") {
				if err := s.bank.Put(s.t.Context(), key, strings.NewReader("{"), 1); err != nil {
					s.t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.finders = []protectable.Plugin{finder{karbor.VolumeType, map[string][]protectable.Dependent{"s": {{Resource: volume("a")}, {Resource: volume("b")}}}}}
			s.restart()
			s.keep()
			s.script.set(karbor.Protect, karbor.ServerType, protection.Hooks{Complete: s.script.note("protect")})
			cp := s.until(s.protect(s.plan(karbor.Resource{Type: karbor.ServerType, ID: "s", Name: "web"}))).ID
			harm(s, cp)
			got := s.untilVerified(s.verify(cp, nil).ID)
			want := map[string]karbor.VerificationStatus{
				word + "a": karbor.VerificationError, word + "b": karbor.VerificationSuccess, "OS::Nova::Server#s": karbor.VerificationError,
			}
			if d := cmp.Diff(want, got.ResourcesStatus); d != "" || got.Status != karbor.VerificationError {
				t.Errorf("ended as %s: %s", got.Status, d)
			}
			if r := got.ResourcesReason; len(r) != 2 || r["OS::Nova::Server#s"] != "it needs the volume a, which is not good" || !strings.Contains(r[word+"a"], "(a): ") || !strings.Contains(r[word+"a"], "damaged") {
				t.Errorf("the reasons are %v", r)
			}
			if log := s.logOf(got.ID); log.Status != karbor.LogError || log.ErrorInfo != got.ResourcesReason[word+"a"] {
				t.Errorf("the log is %+v", log)
			}
			if got := s.until(cp); got.Status != karbor.CheckpointAvailable {
				t.Errorf("the checkpoint is %s", got.Status)
			}
		})
	}
}

func TestAPluginsOwnHooksVerify(t *testing.T) {
	s := newSite(t)
	s.keep()
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{
		PrepareBegin: s.script.note("begin"),
		Main: func(ctx context.Context, c *protection.Call) error {
			if c.Cloud == nil || c.Parameters["deep"] != true || c.Owner != c.CheckpointID {
				t.Errorf("the call is %+v", c)
			}
			if c.Node.ID == "b" {
				return karbor.Errorf(karbor.NotFound, "Backup not found")
			}
			return s.script.note("main")(ctx, c)
		},
		Complete: s.script.note("complete"),
	})
	cp := s.until(s.protect(s.plan(volume("a"), volume("b")))).ID
	got := s.untilVerified(s.verify(cp, karbor.Parameters{"OS::Cinder::Volume": {"deep": true}}).ID)
	if got.Status != karbor.VerificationError || got.ResourcesStatus[word+"a"] != karbor.VerificationSuccess || !strings.HasSuffix(got.ResourcesReason[word+"b"], ": Backup not found") {
		t.Errorf("ended as %+v", got)
	}
	calls := s.script.noted()
	slices.Sort(calls)
	if d := cmp.Diff([]string{"begin volume/a", "begin volume/b", "complete volume/a", "main volume/a"}, calls); d != "" {
		t.Error(d)
	}
}

func TestAVerificationWaitsForABankThatDoesNotAnswer(t *testing.T) {
	s := newSite(t)
	s.keep()
	cp := s.until(s.protect(s.plan(volume("a")))).ID
	begun, tries := make(chan struct{}), 0
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: func(context.Context, *protection.Call) error {
		if tries++; tries == 1 {
			close(begun)
			return karbor.Transientf("the bank does not answer now")
		}
		return nil
	}})
	v := s.verify(cp, nil)
	arrives(t, begun)
	live := v
	s.poll(func() bool {
		var err error
		if live, err = s.service.LiveVerification(t.Context(), v); err != nil {
			t.Fatal(err)
		}
		return live.ResourcesReason[word+"a"] != "" || live.ResourcesStatus[word+"a"] == karbor.VerificationSuccess
	})
	if got := s.untilVerified(v.ID); got.Status != karbor.VerificationSuccess || len(got.ResourcesReason) > 0 {
		t.Errorf("ended as %+v", got)
	}
}

func TestAVerificationSurvivesTheEndOfItsProcess(t *testing.T) {
	s := newSite(t)
	s.keep()
	cp := s.until(s.protect(s.plan(volume("a"), volume("b")))).ID
	begun := make(chan struct{})
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: func(ctx context.Context, _ *protection.Call) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}})
	// One volume only has the hook that hangs.
	id := s.verifyOne(cp, begun)
	s.stop()
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{})
	s.start()
	if got := s.untilVerified(id); got.Status != karbor.VerificationSuccess {
		t.Errorf("ended as %+v", got)
	}
}

// verifyOne begins a verification, and waits until its first hook has begun.
func (s *site) verifyOne(checkpoint string, begun chan struct{}) string {
	s.t.Helper()
	hooks := s.script.Hooks(karbor.Verify, karbor.VolumeType)
	hang := hooks.Main
	hooks.Main = func(ctx context.Context, c *protection.Call) error {
		if c.Node.ID != "a" {
			return nil
		}
		return hang(ctx, c)
	}
	s.script.set(karbor.Verify, karbor.VolumeType, hooks)
	id := s.verify(checkpoint, nil).ID
	arrives(s.t, begun)
	return id
}

func TestACheckpointThatIsVerifiedCanBeRestoredAndNotDeleted(t *testing.T) {
	s := newSite(t)
	s.keep()
	cp := s.until(s.protect(s.plan(volume("a")))).ID
	begun, end := make(chan struct{}), make(chan struct{})
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: func(ctx context.Context, _ *protection.Call) error {
		close(begun)
		select {
		case <-end:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	v := s.verify(cp, nil)
	arrives(t, begun)
	err := s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp)
	if karbor.KindOf(err) != karbor.Conflict || !strings.Contains(karbor.Sentence(err), "being verified") {
		t.Errorf("deleting it gave %v", err)
	}
	r, err := s.service.Restore(t.Context(), s.caller(), protectionservice.RestoreRequest{ProviderID: providerID, CheckpointID: cp})
	if err != nil || s.untilRestored(r.ID).Status != karbor.RestoreSuccess {
		t.Errorf("restoring it meanwhile: %v", err)
	}
	live, err := s.service.LiveVerification(t.Context(), v)
	if err != nil || live.ResourcesStatus[word+"a"] != karbor.VerificationVerifying {
		t.Errorf("it is %+v, %v", live, err)
	}
	close(end)
	if got := s.untilVerified(v.ID); got.Status != karbor.VerificationSuccess {
		t.Errorf("ended as %+v", got)
	}
	// Now it is the newest one that is known to be good.
	s.wantRefused(cp, s.service.DeleteCheckpoint(t.Context(), s.caller(), providerID, cp), "by force")
	if err := s.service.ForceDeleteCheckpoint(t.Context(), s.caller(), providerID, cp, "the test is over"); err != nil {
		t.Error(err)
	}
	if got := s.until(cp); got.Status != karbor.CheckpointDeleted {
		t.Errorf("the checkpoint is %s", got.Status)
	}
}

func TestACancelledVerificationEndsInError(t *testing.T) {
	s := newSite(t)
	s.keep()
	cp := s.until(s.protect(s.plan(volume("a")))).ID
	begun := make(chan struct{})
	s.script.set(karbor.Verify, karbor.VolumeType, protection.Hooks{Offline: true, Main: func(ctx context.Context, _ *protection.Call) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}})
	v := s.verify(cp, nil)
	arrives(t, begun)
	if err := s.engine.Cancel(t.Context(), v.ID, "cancelled by alice"); err != nil {
		t.Fatal(err)
	}
	got := s.untilVerified(v.ID)
	if got.Status != karbor.VerificationError || got.ResourcesStatus[word+"a"] != karbor.VerificationError || !strings.Contains(got.ResourcesReason[word+"a"], "cancelled by alice") {
		t.Errorf("ended as %+v", got)
	}
	if log := s.logOf(v.ID); log.Status != karbor.LogError || !strings.Contains(log.ErrorInfo, "cancelled by alice") {
		t.Errorf("the log is %+v", log)
	}
	if got := s.until(cp); got.Status != karbor.CheckpointAvailable {
		t.Errorf("the checkpoint is %s", got.Status)
	}
}
