package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	provenFolder = "../../internal/checkpoint/testdata/layout1-evidence" // and "-sealed"
	provenDrill  = "d0d0d0d0-0000-4000-8000-000000000001"
)

// publicKey writes the public key of what signed the goldens' evidence, or of another seed.
func publicKey(t *testing.T, seed string) string {
	t.Helper()
	private := ed25519.NewKeyFromSeed([]byte(seed))
	public, is := private.Public().(ed25519.PublicKey)
	if !is {
		t.Fatal("no key")
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	check(t, err)
	path := filepath.Join(t.TempDir(), "keys.pem")
	check(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), 0o600))
	return path
}

const goldenSeed = "a seed for tests, of thirty-two."

func TestTheReaderGivesTheEvidenceOfDrillsAndChecksIt(t *testing.T) {
	var first string
	for _, test := range []struct {
		folder string
		by     []string
	}{{provenFolder, nil}, {provenFolder + "-sealed", []string{"--key-file", sealedKeyFile}}} {
		words := append([]string{"--bank", test.folder, "--checkpoint", filepath.Base(sealedPrefix)}, test.by...)
		var listed, file bytes.Buffer
		check(t, run(words, &listed))
		if want := "evidence " + provenDrill + " passed\n"; !strings.HasSuffix(listed.String(), want) {
			t.Errorf("listed: %q", listed.String())
		}
		words = append(words, "--evidence", provenDrill)
		check(t, run(append(words, "--public-keys", publicKey(t, goldenSeed)), &file))
		if !strings.HasPrefix(file.String(), `{"record":{"bank":"main",`) || !strings.HasSuffix(file.String(), "\"}}\n") || first != "" && first != file.String() {
			t.Errorf("the file: %q", file.String())
		}
		first = file.String()
		if err := run(append(words, "--public-keys", publicKey(t, "another seed, of thirty-two too.")), io.Discard); err == nil || !strings.Contains(err.Error(), "which is not there") {
			t.Errorf("with another key: %v", err)
		}
	}
	if err := run([]string{"--bank", provenFolder + "-sealed", "--checkpoint", filepath.Base(sealedPrefix), "--evidence", provenDrill}, io.Discard); err == nil {
		t.Error("sealed evidence is read without a key")
	}
}

func TestEvidenceThatDoesNotCountIsPassedOverByTheReader(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(provenFolder, sealedPrefix, "evidence", provenDrill, "00000001="))
	check(t, err)
	good := string(text)
	for name, bad := range map[string]string{
		"cut off": good[:len(good)-1], "another layout": strings.Replace(good, `"layout":1`, `"layout":2`, 1),
		"another drill":   strings.Replace(good, provenDrill, "e"+provenDrill[1:], 1),
		"another project": strings.Replace(good, `"project_id":"0`, `"project_id":"1`, 1),
		"a member more":   strings.Replace(good, `"removed":true`, `"removed":true,"more":1`, 1),
		"a member less":   strings.Replace(good, `"removed":true,`, "", 1),
		"no end":          strings.Replace(good, `"status":"finished"`, `"status":"running"`, 1),
	} {
		if bad == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		bank := filepath.Join(t.TempDir(), "bank")
		check(t, os.CopyFS(bank, os.DirFS(provenFolder)))
		words := []string{"--bank", bank, "--checkpoint", filepath.Base(sealedPrefix), "--evidence", provenDrill, "--public-keys", publicKey(t, goldenSeed)}
		second := filepath.Join(bank, sealedPrefix, "evidence", provenDrill, "00000002=")
		check(t, os.WriteFile(second, []byte(bad), 0o600))
		if err := run(words, io.Discard); err != nil {
			t.Errorf("%s: the one before does not count: %v", name, err)
		}
		check(t, os.Remove(filepath.Join(filepath.Dir(second), "00000001=")))
		if err := run(words, io.Discard); err == nil {
			t.Errorf("%s: it counts", name)
		}
	}
	bank := filepath.Join(t.TempDir(), "bank")
	check(t, os.CopyFS(bank, os.DirFS(provenFolder)))
	forged := strings.Replace(good, `"recovery_ms":1500`, `"recovery_ms":1501`, 1)
	check(t, os.WriteFile(filepath.Join(bank, sealedPrefix, "evidence", provenDrill, "00000002="), []byte(forged), 0o600))
	err = run([]string{"--bank", bank, "--checkpoint", filepath.Base(sealedPrefix), "--public-keys", publicKey(t, goldenSeed)}, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "is not what was signed") {
		t.Errorf("a changed record: %v", err)
	}
}
