package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/karbor/karbor/bank/file"
	"github.com/karbor/karbor/internal/repository/dedup"
	"github.com/karbor/karbor/internal/repository/format"
)

var goldenTime = time.Date(2026, 11, 21, 8, 0, 0, 120_000_000, time.UTC)

// A part of a stream is bytes, or a hole that is written without looking at it.
type part struct {
	content []byte
	hole    int64
}

// prose gives bytes that can be made shorter.
func prose(seed uint64, n int) []byte {
	words := strings.Fields("and bank checkpoint domain every from given hole in key length made node of page " +
		"quiet reader stream that until volume was without years zeros")
	random := rand.New(rand.NewPCG(seed, 1))
	var text bytes.Buffer
	for text.Len() < n {
		text.WriteString(words[random.IntN(len(words))])
		text.WriteByte(' ')
	}
	return text.Bytes()[:n]
}

// blocks gives n bytes of which each 4096 are 16 repeated: much that is different, and needs little room.
func blocks(seed byte, n int) []byte {
	var content []byte
	for pattern := noise(seed, n/256); len(content) < n; pattern = pattern[16:] {
		content = append(content, bytes.Repeat(pattern[:16], 256)...)
	}
	return content[:n]
}

func noise(seed byte, n int) []byte {
	content := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(content)
	return content
}

// goldenSessions are the streams by the compression of the session that writes them.
var goldenSessions = []struct {
	way     format.Compression
	streams []string
}{
	{format.Zstd, []string{"a-empty", "b-one-byte", "c-holes", "d-repeated"}},
	{format.S2, []string{"e-changed", "f-zeros", "j-groups"}},
	{format.None, []string{"g-uncompressed"}},
	{format.Zstd, []string{"h-spans", "i-noise"}},
}

func goldenParts() map[string][]part {
	period := prose(2, 96<<10)
	changed := bytes.Clone(period)
	copy(changed[40<<10:], prose(3, 5000))
	return map[string][]part{
		"a-empty":        nil,
		"b-one-byte":     {{content: []byte{7}}},
		"c-holes":        {{content: prose(1, 70_000)}, {hole: 200 << 10}, {content: make([]byte, 70<<10)}, {content: []byte("end")}, {hole: 99}},
		"d-repeated":     {{content: period}, {content: period}, {content: period}, {content: period[:12_345]}},
		"e-changed":      {{content: changed}, {content: period}},
		"f-zeros":        {{content: make([]byte, 130<<10)}},
		"g-uncompressed": {{content: prose(4, 20_000)}, {hole: 64 << 10}},
		"h-spans":        {{hole: span}, {content: prose(5, 30_000)}, {hole: 1 << 20}, {content: prose(6, 3000)}},
		"i-noise":        {{content: noise(1, 9000)}},
		"j-groups":       {{content: blocks(2, 3<<19)}},
	}
}

// writeGolden writes the golden repository with the product.
func writeGolden(t *testing.T) {
	ctx := t.Context()
	if _, err := os.Stat(goldenFolder); err == nil {
		return // it is frozen
	}
	if err := os.MkdirAll(goldenFolder, 0o700); err != nil {
		t.Fatal(err)
	}
	master, wrapping, recovery := format.NewKey(), format.NewKey(), format.NewKey()
	for name, content := range map[string]string{"master-key": hex.EncodeToString(master[:]),
		"key": "\n\t" + hex.EncodeToString(wrapping[:]) + " \n", "recovery-key": hex.EncodeToString(recovery[:]) + "\n",
		"passphrase": goldenPassphrase + "\n"} {
		if err := os.WriteFile(filepath.Join(goldenFolder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path, err := filepath.Abs(filepath.Join(goldenFolder, "bank"))
	if err != nil {
		t.Fatal(err)
	}
	bank, err := file.Open(ctx, file.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := dedup.Create(ctx, bank, goldenDomain, master, goldenTime,
		dedup.Options{Compression: format.Zstd, Workers: 1, Index: dedup.NewMemory()}); err != nil {
		t.Fatal(err)
	}
	var lines []goldenStream
	parts := goldenParts()
	for _, session := range goldenSessions {
		for _, name := range session.streams {
			lines = append(lines, writeStream(t, openDomain(t, bank, session.way), name, parts[name]))
		}
	}
	writeSlots(t, bank, master, wrapping, recovery)
	mergeSegments(t, bank, master)
	if err := bank.Close(); err != nil {
		t.Fatal(err)
	}
	for _, entry := range []string{"=tmp", "=clock", "=reserve"} {
		if err := os.RemoveAll(filepath.Join(goldenFolder, "bank", entry)); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.MarshalIndent(lines, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(goldenFolder, "streams.json"), append(text, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeStream(t *testing.T, domain *dedup.Domain, name string, parts []part) goldenStream {
	t.Helper()
	key := "v1/checkpoints/" + goldenDomain + "/0a1b2c3d-0001-4002-8003-000000000004/nodes/volume/" +
		"0a1b2c3d-0001-4002-8003-000000000005/data/" + name + "/manifest"
	writer, err := domain.Writer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Abort()
	digest := newHashing()
	for _, one := range parts {
		if one.hole > 0 {
			err = writer.Hole(one.hole)
			_ = digest.hole(one.hole)
		} else {
			_, err = io.MultiWriter(writer, digest).Write(one.content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := writer.Commit(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return digest.stream(key)
}

func writeSlots(t *testing.T, bank *file.Bank, master, wrapping, recovery format.Key) {
	t.Helper()
	prefix := "v1/repositories/" + goldenDomain + "/"
	document, _, err := format.ParseDocument(get(t, bank, prefix+"format"), goldenDomain)
	if err != nil {
		t.Fatal(err)
	}
	byPassphrase := &format.Slot{Kind: format.PassphraseSlot, Slot: "10000000-0000-4000-8000-000000000001",
		Label: "a passphrase, & more", Salt: "AAECAwQFBgcICQoLDA0ODw==", Time: 2, MemoryKiB: 64, Threads: 2}
	fromPassphrase, err := byPassphrase.PassphraseKey(goldenPassphrase)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range []struct {
		slot *format.Slot
		key  format.Key
	}{
		{byPassphrase, fromPassphrase},
		{&format.Slot{Kind: format.FileSlot, Slot: "10000000-0000-4000-8000-000000000002", Label: "a key file"}, wrapping},
		{&format.Slot{Kind: format.RecoverySlot, Slot: "10000000-0000-4000-8000-000000000003"}, format.RecoveryKey(recovery)},
	} {
		if err := one.slot.Wrap(document, one.key, master, goldenTime); err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(one.slot)
		if err != nil {
			t.Fatal(err)
		}
		create(t, bank, prefix+"slots/"+one.slot.Slot, text)
	}
}

// mergeSegments writes a segment in place of the first two, one of which stays.
func mergeSegments(t *testing.T, bank *file.Bank, master format.Key) {
	t.Helper()
	prefix := "v1/repositories/" + goldenDomain + "/"
	document, _, err := format.ParseDocument(get(t, bank, prefix+"format"), goldenDomain)
	if err != nil {
		t.Fatal(err)
	}
	unlocked, err := document.Unlock(master)
	if err != nil {
		t.Fatal(err)
	}
	found, err := bank.List(t.Context(), prefix+"index/", "", 100)
	if err != nil || len(found) < 3 {
		t.Fatalf("there are %d segments: %v", len(found), err)
	}
	var merged format.Segment
	for _, info := range found[:2] {
		content := get(t, bank, info.Key)
		one, err := unlocked.OpenSegment(content)
		if err != nil {
			t.Fatal(err)
		}
		merged.Packs = append(merged.Packs, one.Packs...)
		merged.Replaces = append(merged.Replaces, format.NameOf(content))
	}
	content, err := unlocked.SealSegment(&merged)
	if err != nil {
		t.Fatal(err)
	}
	name := sha256.Sum256(content)
	create(t, bank, prefix+"index/"+hex.EncodeToString(name[:]), content)
	if err := bank.Delete(t.Context(), found[0].Key); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, bank *file.Bank, key string) []byte {
	t.Helper()
	body, err := bank.Get(t.Context(), key, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(body)
	if err != nil || body.Close() != nil {
		t.Fatal(err)
	}
	return content
}

func create(t *testing.T, bank *file.Bank, key string, content []byte) {
	t.Helper()
	if err := bank.Create(t.Context(), key, bytes.NewReader(content), int64(len(content))); err != nil {
		t.Fatal(err)
	}
}
