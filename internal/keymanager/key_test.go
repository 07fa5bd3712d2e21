package keymanager_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/internal/keymanager"
)

func TestKeyIsSeenInItsDocumentOnly(t *testing.T) {
	key := keymanager.Key{Payload: []byte("very secret bytes"), Type: "symmetric", Algorithm: "aes", BitLength: 136}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", key, "pointer", &key)
	slog.New(slog.NewTextHandler(&log, nil)).Info("key", "key", key, "pointer", &key)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
		fmt.Fprintf(&log, verb+" "+verb+"\n", key, &key)
	}
	for _, form := range []string{"very secret", fmt.Sprintf("%x", "very secret"), "dmVyeSBzZWNyZXQ", "118 101 114"} {
		if strings.Contains(log.String(), form) {
			t.Errorf("%q is seen in:\n%s", form, log.String())
		}
	}
	text, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var again keymanager.Key
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(key.Payload, again.Payload); diff != "" || again.Check() != nil {
		t.Errorf("it does not come back: %s, %v", diff, again.Check())
	}
}

func TestKeyWithoutBytesOrWithTooManyIsNone(t *testing.T) {
	for _, size := range []int{0, 20001} {
		if err := (&keymanager.Key{Payload: make([]byte, size)}).Check(); karbor.KindOf(err) != karbor.Internal || err == nil {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
