package protection

import (
	"embed"
	"strings"
	"testing"
	"time"
)

func TestPollingNeedsBothTimes(t *testing.T) {
	for _, p := range []Polling{{}, {PollInterval: time.Second}, {Timeout: time.Second}, {PollInterval: -1, Timeout: time.Second}} {
		if p.Validate() == nil {
			t.Errorf("%+v was accepted", p)
		}
	}
	if err := (&Polling{PollInterval: time.Second, Timeout: time.Minute}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestSchemasThatAreMissingAreNamed(t *testing.T) {
	_, err := ReadSchemas(embed.FS{})
	if err == nil || !strings.Contains(err.Error(), "reading the schema saved_info") || !strings.Contains(err.Error(), "reading the schema options") {
		t.Errorf("got %v", err)
	}
}
