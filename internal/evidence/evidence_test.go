package evidence_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/evidence"
)

var update = flag.Bool("update", false, "write the golden files")

// keyFile is a key for tests only, of which the golden files are signed.
const keyFile karbor.Secret = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f
-----END PRIVATE KEY-----
`

func newSigner(t *testing.T, file karbor.Secret) *evidence.Signer {
	t.Helper()
	s, err := evidence.NewSigner(file)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func at(seconds int) evidence.Time {
	return evidence.Time{Time: time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC).Add(time.Duration(seconds) * time.Second)}
}

// sample is a record with something of everything.
func sample() evidence.Record {
	return evidence.Record{
		DrillID: "3f0c3c6e-5d3e-4a0c-8e5e-0c6d9a2f1b11", ProjectID: "9b7fdc7d0a3f4f6a9e2b1c5d4e3f2a10",
		ProviderID: "cf56bd3e-97a7-4078-b6d5-f36246333fd9", Bank: "main", Service: "1.0.0",
		Checkpoint: evidence.Checkpoint{ID: "dcb20606-ad71-40a3-80e4-ef0fafdad0c3", CreatedAt: at(-86400), PlanID: "9e5475d2-6425-4986-9136-a4f09642297f", PlanName: "The web shop <&>"},
		StartedAt:  at(0), EndedAt: at(412), Verdict: karbor.DrillFailed, RecoveryMS: 200_400,
		Reasons: []string{"Server \"db\": the console does not show what it should."},
		Phases: []evidence.Phase{
			{Name: "isolation", StartedAt: at(1), EndedAt: at(3)}, {Name: "restore", StartedAt: at(3), EndedAt: at(190)},
			{Name: "probes", StartedAt: at(40), EndedAt: at(380)}, {Name: "removal", StartedAt: at(381), EndedAt: at(411)},
		},
		Resources: []evidence.Resource{
			{
				Resource: "OS::Nova::Server#9dd1ae4c-1111-4222-8333-944444444444", Name: "db", NewID: "0c1d2e3f-1111-4222-8333-944444444444",
				Verdict: karbor.DrillFailed, Reason: "The console does not show what it should.", ReadyMS: 200_400,
				NotKept: []string{"The server is not locked: the original was."}, Mapped: []string{},
				Phases: []evidence.Phase{{Name: "complete", StartedAt: at(150), EndedAt: at(190)}},
				Probes: []evidence.Probe{
					{Probe: "active", Target: "server 0c1d2e3f-1111-4222-8333-944444444444", Origin: "Nova", At: at(191), Result: evidence.Passed, Reason: "It is ACTIVE."},
					{Probe: "console", Target: "lines with login:", Origin: "Nova's console log", At: at(380), Result: evidence.Failed, Reason: "No line has it after 300 s; the last one is \"Kernel panic – not syncing\"."},
					{Probe: "port", Target: "TCP port 22", Origin: "karbord", At: at(380), Result: evidence.Impossible, Reason: "There is no external network for a floating address."},
				},
			},
			{
				Resource: "OS::Cinder::Volume#640a2a41-1111-4222-8333-944444444444", Name: "", NewID: "7c1d2e3f-1111-4222-8333-944444444444",
				Verdict: karbor.DrillPassed, ReadyMS: 37_000, NotKept: []string{}, Mapped: []string{},
				Phases: []evidence.Phase{{Name: "main", StartedAt: at(3), EndedAt: at(40)}},
				Probes: []evidence.Probe{
					{Probe: "volume", Target: "1073741824 bytes", Origin: "karbord, through a temporary image", At: at(60), Result: evidence.Passed, Reason: "The bytes are those that were protected (sha512); ext4, unmounted cleanly."},
				},
			},
		},
		LeftOut: []evidence.LeftOut{{Resource: "OS::Neutron::Network#1", Name: "lan", Reason: "A drill has a network of its own."}},
		Removed: true, Left: []string{},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func signed(t *testing.T) (file []byte, keys []evidence.PublicKey) {
	t.Helper()
	s := newSigner(t, keyFile)
	file, err := s.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	return file, s.Keys()
}

func TestRecordIsWrittenAndReadBack(t *testing.T) {
	file, keys := signed(t)
	golden(t, "record.json", file)
	got, err := evidence.Verify(file, keys...)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	want.Format = evidence.Format
	if diff := cmp.Diff(want, got.Record); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPageShowsTheRecord(t *testing.T) {
	file, keys := signed(t)
	got, err := evidence.Verify(file, keys...)
	if err != nil {
		t.Fatal(err)
	}
	page, err := evidence.Page(got)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "page.html", page)
	for _, outside := range []string{"src=", "href=", "<script", "url("} {
		if bytes.Contains(page, []byte(outside)) {
			t.Errorf("the page needs something else: %s", outside)
		}
	}
}

func TestEachChangedByteIsRefused(t *testing.T) {
	file, keys := signed(t)
	for i := range file {
		changed := bytes.Clone(file)
		changed[i] ^= 1 << (i % 8)
		if _, err := evidence.Verify(changed, keys...); err == nil {
			t.Fatalf("byte %d, %q instead of %q, was not noticed", i, changed[i], file[i])
		}
	}
}

func TestTamperedFilesAreRefused(t *testing.T) {
	file, keys := signed(t)
	text := string(file)
	for name, changed := range map[string]string{
		"cut off":               text[:len(text)-2],
		"without its line feed": text[:len(text)-1],
		"something behind it":   text + " ",
		"a space":               strings.Replace(text, ":", ": ", 1),
		"a member more":         strings.Replace(text, `"verdict":"failed"`, `"verdict":"failed","x":1`, 1),
		"a member twice":        strings.Replace(text, `"verdict":"failed"`, `"verdict":"passed","verdict":"failed"`, 1),
		"another verdict":       strings.ReplaceAll(text, `"failed"`, `"passed"`),
		"an escape":             strings.Replace(text, "main", `\u006dain`, 1),
		"another algorithm":     strings.Replace(text, "Ed25519", "none", 1),
		"no signature":          `{"record":` + text[len(`{"record":`):strings.Index(text, `,"signature"`)] + "}\n",
		"nothing":               "",
		"a list":                "[]\n",
	} {
		if changed == text {
			t.Errorf("%s: the file was not changed", name)
		}
		if _, err := evidence.Verify([]byte(changed), keys...); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%s: %v; want it to be invalid", name, err)
		}
	}
}

func TestSignatureOfSomebodyElseIsNone(t *testing.T) {
	file, keys := signed(t)
	fresh, err := evidence.NewKeyFile()
	if err != nil {
		t.Fatal(err)
	}
	other := newSigner(t, fresh)
	if _, err := evidence.Verify(file, other.Keys()...); karbor.KindOf(err) != karbor.NotFound || err == nil {
		t.Errorf("with another key it is %v", err)
	}
	// Somebody signs with his own key, and says that it is ours.
	forged, err := other.Sign(sample())
	if err != nil {
		t.Fatal(err)
	}
	forged = bytes.ReplaceAll(forged, []byte(other.Keys()[0].ID), []byte(keys[0].ID))
	if _, err := evidence.Verify(forged, keys...); karbor.KindOf(err) != karbor.Invalid || err == nil {
		t.Errorf("a forged one is %v", err)
	}
}

func TestRetiredKeyStillVerifies(t *testing.T) {
	file, keys := signed(t)
	fresh, err := evidence.NewKeyFile()
	if err != nil {
		t.Fatal(err)
	}
	old, err := keys[0].PEM()
	if err != nil {
		t.Fatal(err)
	}
	s := newSigner(t, karbor.Secret(old)+fresh)
	if len(s.Keys()) != 2 || s.Keys()[0].ID == keys[0].ID {
		t.Fatalf("the keys are %v; want the new one first", s.Keys())
	}
	if _, err := evidence.Verify(file, s.Keys()...); err != nil {
		t.Error(err)
	}
	again, err := evidence.ParsePublicKeys([]byte(old))
	if err != nil || !cmp.Equal(again, keys) {
		t.Errorf("the key comes back as %v, %v", again, err)
	}
}

func TestBadKeyFilesAreRefused(t *testing.T) {
	rsa := "-----BEGIN PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte("no key")) + "\n-----END PRIVATE KEY-----\n"
	for name, file := range map[string]karbor.Secret{
		"empty": "", "two private keys": keyFile + keyFile, "no Ed25519 key": karbor.Secret(rsa), "rubbish behind": keyFile + "x",
		"another block": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if _, err := evidence.NewSigner(file); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "AAEC") {
			t.Errorf("%s: the error tells of the key: %v", name, err)
		}
	}
}

func TestCanonicalForm(t *testing.T) {
	for in, want := range map[string]string{
		"{ \"b\" : 1 , \"a\" : [ true , null , \"x\" ] }\n": `{"a":[true,null,"x"],"b":1}`,
		`{"\u00e9":"\u003c\u2028\u0007\/\b"}`:               "{\"é\":\"<\u2028\\u0007/\\b\"}",
		`{"\ud83d\ude00":1,"\ufb33":2}`:                     "{\"\U0001F600\":1,\"\ufb33\":2}", // by UTF-16 code units
		`-0`:                                                `0`,
	} {
		if got, err := evidence.Canonical([]byte(in)); err != nil || string(got) != want {
			t.Errorf("%s gives %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "{", "1.5", "9007199254740993", `{"a":1,"a":2}`, "\"\xff\"", "1 2", strings.Repeat("[", 40) + strings.Repeat("]", 40),
	} {
		if got, err := evidence.Canonical([]byte(in)); karbor.KindOf(err) != karbor.Invalid || err == nil {
			t.Errorf("%s gives %s, %v", in, got, err)
		}
	}
}

func TestFileSurvivesADatabaseThatOrdersMembers(t *testing.T) {
	file, keys := signed(t)
	var loose any
	if err := json.Unmarshal(file, &loose); err != nil {
		t.Fatal(err)
	}
	kept, err := json.MarshalIndent(loose, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	again, err := evidence.File(kept)
	if err != nil || !bytes.Equal(again, file) {
		t.Fatalf("it comes back as %s, %v", again, err)
	}
	if _, err := evidence.Verify(again, keys...); err != nil {
		t.Error(err)
	}
}

func TestVerdictOfProbes(t *testing.T) {
	for want, results := range map[karbor.DrillVerdict][]evidence.Result{
		karbor.DrillPassed:       {evidence.Impossible, evidence.Passed},
		karbor.DrillFailed:       {evidence.Passed, evidence.Failed, evidence.Passed},
		karbor.DrillInconclusive: {evidence.Impossible},
	} {
		var probes []evidence.Probe
		for _, r := range results {
			probes = append(probes, evidence.Probe{Result: r})
		}
		if got := evidence.Judge(probes); got != want {
			t.Errorf("%v is %s; want %s", results, got, want)
		}
	}
	if got := evidence.Judge(nil); got != karbor.DrillInconclusive {
		t.Errorf("no probe is %s", got)
	}
}

func TestSpansForPeople(t *testing.T) {
	for ms, want := range map[int64]string{0: "–", 850: "850 ms", 4200: "4.2 s", 200_400: "3 min 20 s", 7_500_000: "2 h 5 min"} {
		if got := evidence.Span(ms); got != want {
			t.Errorf("%d ms is %q; want %q", ms, got, want)
		}
	}
}

// FuzzVerify: no file makes it panic, and what passes is what was signed.
func FuzzVerify(f *testing.F) {
	s, err := evidence.NewSigner(keyFile)
	if err != nil {
		f.Fatal(err)
	}
	file, err := s.Sign(sample())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(`{"record":{},"signature":{}}`))
	f.Fuzz(func(t *testing.T, other []byte) {
		if _, err := evidence.Verify(other, s.Keys()...); err == nil && !bytes.Equal(other, file) {
			t.Errorf("%q passes", other)
		}
	})
}
