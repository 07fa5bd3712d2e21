package protectionservice_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/repository/keyring"
	"github.com/karbor/karbor/protection"
)

// encrypted gives a site whose bank has a key, with a checkpoint of the volumes a and b.
func encrypted(t *testing.T) (s *site, checkpoint string) {
	t.Helper()
	s = newSite(t)
	s.stop()
	key := filepath.Join(t.TempDir(), "key")
	if err := keyring.WriteKeyFile(key); err != nil {
		t.Fatal(err)
	}
	s.repository = "repository: {keys: [{file: " + key + "}]}"
	s.start()
	s.keep()
	return s, s.until(s.protect(s.plan(volume("a"), volume("b")))).ID
}

// change puts what becomes of the objects whose keys hold a text in their place; nil removes one.
func (s *site) change(part string, how func(text []byte) []byte) {
	s.t.Helper()
	keys := s.objects(part)
	if len(keys) == 0 {
		s.t.Fatalf("nothing lies at %s", part)
	}
	for _, key := range keys {
		var err error
		if text := how([]byte(s.bank.Snapshot()[key])); text == nil {
			err = s.bank.Delete(s.t.Context(), key)
		} else {
			err = s.bank.Put(s.t.Context(), key, bytes.NewReader(text), int64(len(text)))
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

func TestAVerificationSaysExactlyWhatIsWrongWithAnObject(t *testing.T) {
	flip := func(text []byte) []byte {
		text[len(text)/2] ^= 1
		return text
	}
	for name, c := range map[string]struct {
		harm func(s *site)
		want string
	}{
		"a damaged pack": {func(s *site) { s.change("/packs/", flip) }, "1 pack of the bank that it refers to is damaged; all its bytes can still be read"},
		"a missing pack": {func(s *site) { s.change("/packs/", func([]byte) []byte { return nil }) }, "10000 bytes can't be read any more, in 1 piece: the pack "},
		"a foreign pack": {func(s *site) {
			pages := s.bank.Snapshot()[s.objects("/pages/")[0]]
			s.change("/packs/", func([]byte) []byte { return []byte(pages) })
		}, ": it was changed, or is another's"},
		"a missing manifest": {func(s *site) { s.change("/volume/a/data/data/manifest", func([]byte) []byte { return nil }) },
			"what is kept of it in the bank is not whole: data/data/manifest was there when the checkpoint became available, and is missing"},
		"a foreign manifest": {func(s *site) {
			other := s.bank.Snapshot()[s.objects("/volume/b/data/data/manifest")[0]]
			s.change("/volume/a/data/data/manifest", func([]byte) []byte { return []byte(other) })
		}, "in the bank is damaged: its manifest: it was changed, or is another's"},
		"a foreign document": {func(s *site) {
			other := s.bank.Snapshot()[s.objects("/volume/b/documents/")[0]]
			s.change("/volume/a/documents/", func([]byte) []byte { return []byte(other) })
		}, "a document that is kept of it in the bank is damaged"},
		"a missing document": {func(s *site) { s.change("/volume/a/documents/", func([]byte) []byte { return nil }) },
			"what is kept of it in the bank is not whole: documents/metadata was there when the checkpoint became available, and is missing"},
		"a locked domain": {func(s *site) {
			s.stop()
			other := filepath.Join(s.t.TempDir(), "other")
			if err := keyring.WriteKeyFile(other); err != nil {
				s.t.Fatal(err)
			}
			s.repository = "repository: {keys: [{file: " + other + "}]}"
			s.start()
		}, "can't be opened: opening the key domain"},
	} {
		t.Run(name, func(t *testing.T) {
			s, cp := encrypted(t)
			c.harm(s)
			got := s.untilVerified(s.verify(cp, nil).ID)
			reason := got.ResourcesReason[word+"a"]
			if got.Status != karbor.VerificationError || got.ResourcesStatus[word+"a"] != karbor.VerificationError || !strings.Contains(reason, c.want) {
				t.Errorf("it ended as %s: %q", got.Status, got.ResourcesReason)
			}
			if log := s.logOf(got.ID); log.Status != karbor.LogError || log.ErrorInfo == "" {
				t.Errorf("the log is %+v", log)
			}
			if now := s.checkpointOf(cp); now.Status != karbor.CheckpointAvailable {
				t.Errorf("the checkpoint is %s", now.Status)
			}
		})
	}
}

// TestAVerificationOfACheckpointThatHasLostItsListSaysSoAndFindsWhatIsThereGood: nobody needs the list to restore.
func TestAVerificationOfACheckpointThatHasLostItsListSaysSoAndFindsWhatIsThereGood(t *testing.T) {
	s, cp := encrypted(t)
	s.change("/contents", func([]byte) []byte { return nil })
	got := s.untilVerified(s.verify(cp, nil).ID)
	want := "what is there of it is good; whether something is missing can't be told, as the list of what checkpoint " + cp + " has is damaged or missing in the bank"
	if got.Status != karbor.VerificationSuccess || got.ResourcesStatus[word+"a"] != karbor.VerificationSuccess || got.ResourcesReason[word+"a"] != want {
		t.Errorf("it ended as %s: %v, %q", got.Status, got.ResourcesStatus, got.ResourcesReason)
	}
	s.change("/packs/", func([]byte) []byte { return nil })
	got = s.untilVerified(s.verify(cp, nil).ID)
	if got.Status != karbor.VerificationError || !strings.Contains(got.ResourcesReason[word+"a"], "can't be read any more") {
		t.Errorf("with damage it ended as %s: %q", got.Status, got.ResourcesReason)
	}
}

func TestACheckpointThatGoesFromItsBankInMidVerifyEndsTheVerificationWithThatReason(t *testing.T) {
	s, cp := encrypted(t)
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
	id := s.verifyOne(cp, begun)
	s.change("/"+cp+"/", func([]byte) []byte { return nil })
	close(end)
	got := s.untilVerified(id)
	want := "checkpoint " + cp + " is not in its bank any more"
	if got.Status != karbor.VerificationError || got.ResourcesReason[word+"a"] != want || !strings.Contains(s.logOf(id).ErrorInfo, want) {
		t.Errorf("it ended as %+v", got)
	}
}
