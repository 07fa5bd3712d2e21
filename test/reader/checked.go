package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strings"
)

var checkedEnd = regexp.MustCompile(`^(?s)(\{.+),"sha256":"([0-9a-f]{64})"\}$`)

// checkedDocument takes a checked document apart, which lies under key.
func checkedDocument(key string, object []byte) (document, error) {
	parts := checkedEnd.FindSubmatch(object)
	if parts == nil {
		return nil, damagedf("%s does not end like a checked document", key)
	}
	digest := sha256.Sum256(fmt.Appendf(nil, "karbor/1 checked|%s|%s", key, parts[1]))
	if hex.EncodeToString(digest[:]) != string(parts[2]) {
		return nil, damagedf("%s has another digest", key)
	}
	return parseObject(object)
}

// checkRequirements refuses a domain that asks for more of its readers than version 1.
func checkRequirements(from objects, prefix string) error {
	asked, err := from.list(prefix + "requires/readers/")
	if err != nil {
		return err
	}
	if len(asked) > 0 {
		return fmt.Errorf("the domain asks for more than version 1 of its readers: %s", strings.Join(asked, ", "))
	}
	return nil
}

// checkProtocol checks the records by which writers and the collector of a domain live together, docs/format/collection.md.
// It tells how many sessions' records, epochs and collectors' leases there are.
func checkProtocol(from objects, domain string) (sessions, epochs, leases int, err error) {
	prefix := "v1/repositories/" + domain + "/"
	for folder, count := range map[string]*int{"sessions/": &sessions, "epochs/": &epochs, "collectors/": &leases} {
		keys, err := from.list(prefix + folder)
		if err != nil {
			return 0, 0, 0, err
		}
		for _, key := range keys {
			object, err := readWhole(from, key, packLimit)
			if err != nil {
				return 0, 0, 0, err
			}
			members, err := checkedDocument(key, object)
			if err == nil {
				err = checkRecord(members, strings.TrimPrefix(key, prefix))
			}
			if err != nil {
				return 0, 0, 0, fmt.Errorf("%s: %w", key, err)
			}
			*count++
		}
	}
	return sessions, epochs, leases, nil
}

// checkRecord compares a record with its key below the domain's, and looks at its members.
func checkRecord(members document, key string) error {
	parts := strings.Split(key, "/")
	want, known := number(parts[len(parts)-1])
	if format, err := members.text("format"); err != nil || format != version || !known {
		return damagedf("the format is %q, or the key is none: %v", format, err)
	}
	counted, times, lists := "sequence", []string{"renewed_at", "expires_at"}, []string{}
	switch parts[0] {
	case "sessions":
		lists = []string{"keeps"}
		if session, err := members.text("session"); err != nil || session != parts[1] || !validUUID(session) {
			return damagedf("the session is %q: %v", session, err)
		}
	case "epochs":
		counted, times, lists = "epoch", []string{"created_at"}, []string{"condemned", "gone"}
	default:
	}
	var got int
	if err := members.member(counted, &got); err != nil || got != want {
		return damagedf("%s is %d: %v", counted, got, err)
	}
	for _, name := range times {
		text, err := members.text(name)
		if err == nil {
			err = checkTime(text)
		}
		if err != nil {
			return err
		}
	}
	for _, name := range lists {
		var packs []string
		if err := members.member(name, &packs); err != nil {
			return err
		}
		for _, one := range packs {
			if err := lowerHex(one, make([]byte, 32)); err != nil {
				return err
			}
		}
	}
	return nil
}
