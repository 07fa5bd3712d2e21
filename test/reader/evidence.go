package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const evidenceVersion = "karbor-drill-evidence-1"

// shape is what members an object has: an object within one, a list of objects ([]shape), or nil for all else.
type shape map[string]any

var phaseShape = []shape{{"name": nil, "started_at": nil, "ended_at": nil}}

// evidenceShape is that of a signed record: docs/format/evidence.md.
var evidenceShape = shape{
	"signature": shape{"algorithm": nil, "key_id": nil, "value": nil},
	"record": shape{
		"format": nil, "drill_id": nil, "project_id": nil, "provider_id": nil, "bank": nil, "service": nil, "started_at": nil, "ended_at": nil,
		"verdict": nil, "reasons": nil, "recovery_ms": nil, "removed": nil, "left": nil, "phases": phaseShape,
		"checkpoint": shape{"id": nil, "created_at": nil, "plan_id": nil, "plan_name": nil},
		"left_out":   []shape{{"resource": nil, "name": nil, "reason": nil}},
		"resources": []shape{{
			"resource": nil, "name": nil, "new_id": nil, "verdict": nil, "reason": nil, "ready_ms": nil, "not_kept": nil, "mapped": nil, "phases": phaseShape,
			"probes": []shape{{"probe": nil, "target": nil, "origin": nil, "at": nil, "result": nil, "reason": nil}},
		}},
	},
}

// fits gives an error if a value has other members than its shape.
func fits(value any, want any) error {
	switch want := want.(type) {
	case shape:
		object, is := value.(map[string]any)
		if !is || !slices.Equal(slices.Sorted(maps.Keys(object)), slices.Sorted(maps.Keys(want))) {
			return damagedf("a record has members that it should not have, or lacks some")
		}
		var errs []error
		for name, one := range want {
			errs = append(errs, fits(object[name], one))
		}
		return errors.Join(errs...)
	case []shape:
		list, is := value.([]any)
		if !is {
			return damagedf("a record lacks a list")
		}
		var errs []error
		for _, one := range list {
			errs = append(errs, fits(one, want[0]))
		}
		return errors.Join(errs...)
	}
	if value == nil {
		return damagedf("a record has a null")
	}
	return nil
}

// canonical writes a value as RFC 8785 says, where all numbers are integers within 2^53.
func canonical(out *bytes.Buffer, value any) error {
	switch v := value.(type) {
	case map[string]any:
		names := slices.SortedFunc(maps.Keys(v), func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) })
		for i, name := range names {
			out.WriteByte("{,"[min(i, 1)])
			quote(out, name)
			out.WriteByte(':')
			if err := canonical(out, v[name]); err != nil {
				return err
			}
		}
		if len(names) == 0 {
			out.WriteByte('{')
		}
		out.WriteByte('}')
	case []any:
		out.WriteByte('[')
		for i, one := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := canonical(out, one); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case string:
		quote(out, v)
	case json.Number:
		n, err := strconv.ParseInt(v.String(), 10, 64)
		if err != nil || n > 1<<53 || n < -1<<53 {
			return damagedf("%s is no integer within 2^53", v)
		}
		out.WriteString(strconv.FormatInt(n, 10))
	case bool:
		out.WriteString(strconv.FormatBool(v))
	default:
		return damagedf("a record has a null")
	}
	return nil
}

// quote writes a text as RFC 8785 says.
func quote(out *bytes.Buffer, text string) {
	out.WriteByte('"')
	for _, r := range text {
		at := strings.IndexRune("\"\\\b\f\n\r\t", r)
		switch {
		case at >= 0:
			out.WriteByte('\\')
			out.WriteByte(`"\bfnrt`[at])
		case r < ' ':
			fmt.Fprintf(out, `\u%04x`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
}

// A proof is the evidence of a drill that counts.
type proof struct {
	drill, verdict, keyID string
	// file is the signed record, signed what the signature is of.
	file, signed, signature []byte
}

// parseProof reads an object of evidence.
func parseProof(text []byte, s state, drill string) (proof, error) {
	members, err := parseObject(text)
	if err != nil {
		return proof{}, err
	}
	var layout int
	var status string
	if err := errors.Join(members.member("layout", &layout), members.member("status", &status)); err != nil {
		return proof{}, err
	}
	if layout != 1 || status != "finished" && status != "error" || !utf8.Valid(members["evidence"]) {
		return proof{}, damagedf("this is no evidence")
	}
	var value map[string]any
	d := json.NewDecoder(bytes.NewReader(members["evidence"]))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return proof{}, damagedf("reading a record: %w", err)
	}
	if err := fits(value, evidenceShape); err != nil {
		return proof{}, err
	}
	var file, record bytes.Buffer
	if err := errors.Join(canonical(&file, value), canonical(&record, value["record"])); err != nil {
		return proof{}, err
	}
	return readProof(file.Bytes(), record.Bytes(), s, drill)
}

// readProof reads a record in its canonical form.
func readProof(file, record []byte, s state, drill string) (proof, error) {
	var read struct {
		Record struct {
			Format     string `json:"format"`
			DrillID    string `json:"drill_id"`
			ProjectID  string `json:"project_id"`
			Verdict    string `json:"verdict"`
			Checkpoint struct {
				ID string `json:"id"`
			} `json:"checkpoint"`
		} `json:"record"`
		Signature struct {
			Algorithm string `json:"algorithm"`
			KeyID     string `json:"key_id"`
			Value     string `json:"value"`
		} `json:"signature"`
	}
	if err := json.Unmarshal(file, &read); err != nil {
		return proof{}, damagedf("reading a record: %w", err)
	}
	r := read.Record
	switch {
	case r.Format != evidenceVersion || read.Signature.Algorithm != "Ed25519":
		return proof{}, damagedf("the format of the record is %q", r.Format)
	case r.DrillID != drill || r.ProjectID != s.project || r.Checkpoint.ID != s.checkpoint:
		return proof{}, damagedf("the record is of another drill or checkpoint")
	}
	signature, err := base64.StdEncoding.Strict().DecodeString(read.Signature.Value)
	if err != nil {
		return proof{}, damagedf("the signature is no base64")
	}
	return proof{
		drill: drill, verdict: r.Verdict, keyID: read.Signature.KeyID, file: append(bytes.Clone(file), '\n'),
		signed: append([]byte(evidenceVersion+"\n"), record...), signature: signature,
	}, nil
}

// proofs gives the evidence of a checkpoint that counts; none of what is sealed, without a way in.
func (v *vault) proofs(s state) ([]proof, error) {
	prefix := s.prefix() + "evidence/"
	keys, err := v.from.list(prefix)
	if err != nil {
		return nil, err
	}
	var all []proof
	for _, key := range slices.Backward(keys) {
		parts := strings.Split(strings.TrimPrefix(key, prefix), "/")
		if len(parts) != 2 || !validUUID(parts[0]) || len(all) > 0 && all[len(all)-1].drill == parts[0] {
			continue
		}
		if _, ok := number(parts[1]); !ok {
			continue
		}
		text, sealed, err := v.text(key)
		if sealed && v.by == nil {
			continue
		}
		if err == nil && !sealed {
			var d description
			if d, err = v.description(s); err == nil && d.sealed {
				continue // who has no key could put it there
			}
		}
		var one proof
		if err == nil {
			one, err = parseProof(text, s, parts[0])
		}
		switch {
		case errors.Is(err, errDamaged) || errors.Is(err, fs.ErrNotExist): // it does not count
		case err != nil:
			return nil, err
		default:
			all = append(all, one)
		}
	}
	slices.Reverse(all)
	return all, nil
}

// check gives an error unless one of the keys, as PEM, has signed the record.
func (p proof) check(keys []byte) error {
	for {
		var block *pem.Block
		if block, keys = pem.Decode(keys); block == nil {
			return fmt.Errorf("the record of drill %s was signed with the key %s, which is not there", p.drill, p.keyID)
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		public, is := key.(ed25519.PublicKey)
		if err != nil || !is {
			return errors.New("this is no file of Ed25519 keys")
		}
		if sum := sha256.Sum256(public); hex.EncodeToString(sum[:16]) != p.keyID {
			continue
		}
		if !ed25519.Verify(public, p.signed, p.signature) {
			return damagedf("the record of drill %s is not what was signed", p.drill)
		}
		return nil
	}
}

// readEvidence lists the evidence of a checkpoint, or gives the file of one record.
func (a *arguments) readEvidence(v *vault, s state, keys []byte, out io.Writer) error {
	all, err := v.proofs(s)
	if err != nil {
		return err
	}
	for _, one := range all {
		if a.evidence == "" {
			if _, err := fmt.Fprintln(out, "evidence", one.drill, one.verdict); err != nil {
				return err
			}
		}
		if a.evidence != "" && one.drill != a.evidence {
			continue
		}
		if len(keys) > 0 {
			if err := one.check(keys); err != nil {
				return err
			}
		}
		if a.evidence != "" {
			_, err := out.Write(one.file)
			return err
		}
	}
	if a.evidence != "" {
		return fmt.Errorf("there is no evidence of drill %s that counts", a.evidence)
	}
	return nil
}
