package main

import (
	"bytes"
	"crypto/hmac"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

const version = "repository/1"

// A document is an object of JSON, by the exact names of its members.
type document map[string]json.RawMessage

func parseDocument(text []byte) (document, error) {
	if len(text) == 0 || text[0] != '{' || text[len(text)-1] != '}' {
		return nil, damagedf("this is no document")
	}
	var members document
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, damagedf("reading a document: %w", err)
	}
	format, err := members.text("format")
	if err != nil {
		return nil, err
	}
	if format != version {
		return nil, damagedf("the format is %q", format)
	}
	return members, nil
}

// member reads a member that has to be there, into a pointer.
func (d document) member(name string, into any) error {
	raw, found := d[name]
	if !found || bytes.Equal(raw, []byte("null")) {
		return damagedf("%s is missing", name)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return damagedf("reading %s: %w", name, err)
	}
	return nil
}

func (d document) text(name string) (string, error) {
	var text string
	err := d.member(name, &text)
	return text, err
}

// texts reads several texts.
func (d document) texts(into map[string]*string) error {
	for name, text := range into {
		if err := d.member(name, text); err != nil {
			return err
		}
	}
	return nil
}

// bytes reads base64: standard, padded, and nothing else in it.
func (d document) bytes(name string) ([]byte, error) {
	text, err := d.text(name)
	if err != nil {
		return nil, err
	}
	content, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, damagedf("%s is no base64", name)
	}
	return content, nil
}

// lowerHex reads lower-case hexadecimal digits into a place of the right length.
func lowerHex(text string, into []byte) error {
	if len(text) != 2*len(into) || strings.ToLower(text) != text {
		return damagedf("%q are not %d lower-case hexadecimal digits", text, 2*len(into))
	}
	if _, err := hex.Decode(into, []byte(text)); err != nil {
		return damagedf("reading hexadecimal digits: %w", err)
	}
	return nil
}

var timeForm = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,5}[1-9])?Z$`)

func checkTime(text string) error {
	if _, err := time.Parse(time.RFC3339Nano, text); err != nil || !timeForm.MatchString(text) {
		return damagedf("%q is no time", text)
	}
	return nil
}

// A formatDocument is what says that a domain is there.
type formatDocument struct {
	repository        [16]byte
	repositoryText    string
	domain, createdAt string
	mac               id
}

func parseFormat(text []byte, domain string) (formatDocument, error) {
	members, err := parseDocument(text)
	if err != nil {
		return formatDocument{}, err
	}
	var result formatDocument
	var chunkID, cipher, mac string
	if err := members.texts(map[string]*string{
		"repository": &result.repositoryText, "domain": &result.domain, "created_at": &result.createdAt,
		"chunk_id": &chunkID, "cipher": &cipher, "mac": &mac,
	}); err != nil {
		return formatDocument{}, err
	}
	switch {
	case result.domain != domain:
		return formatDocument{}, damagedf("the domain is %q", result.domain)
	case chunkID != "hmac-sha-256":
		return formatDocument{}, damagedf("the chunk id is %q", chunkID)
	case cipher != "aes-256-gcm":
		return formatDocument{}, damagedf("the cipher is %q", cipher)
	}
	if err := lowerHex(result.repositoryText, result.repository[:]); err != nil {
		return formatDocument{}, err
	}
	if err := lowerHex(mac, result.mac[:]); err != nil {
		return formatDocument{}, err
	}
	return result, checkTime(result.createdAt)
}

// formatMAC is what the mac of a format document has to be.
func (f formatDocument) formatMAC(formatKey []byte) id {
	return keyed(formatKey, fmt.Appendf(nil, "%s|%s|%s|%s|hmac-sha-256|aes-256-gcm",
		version, f.repositoryText, f.domain, f.createdAt))
}

// check compares the mac.
func (f formatDocument) check(formatKey []byte) error {
	want := f.formatMAC(formatKey)
	if !hmac.Equal(want[:], f.mac[:]) {
		return damagedf("the format document's mac is another one: another master key, or damage")
	}
	return nil
}

// A manifest is what names a stream.
type manifest struct {
	size uint64
	box  []byte
}

func parseManifest(text []byte, format formatDocument) (manifest, error) {
	members, err := parseDocument(text)
	if err != nil {
		return manifest{}, err
	}
	var domain, repository string
	if err := members.texts(map[string]*string{"domain": &domain, "repository": &repository}); err != nil {
		return manifest{}, err
	}
	if domain != format.domain || repository != format.repositoryText {
		return manifest{}, damagedf("the manifest is of the repository %q in the domain %q", repository, domain)
	}
	var result manifest
	if err := members.member("size", &result.size); err != nil {
		return manifest{}, err
	}
	result.box, err = members.bytes("root")
	return result, err
}
