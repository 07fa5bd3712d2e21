package config

import (
	"strings"
	"testing"
)

func TestEngineIsLocalUnlessSaid(t *testing.T) {
	c, err := Load(write(t, enough))
	if err != nil || c.Engine.Type != LocalEngine {
		t.Errorf("got %+v, %v", c.Engine, err)
	}
	c, err = Load(write(t, enough+"engine: {type: temporal, temporal: {address: 'temporal:7233', tls: {enabled: true}}}\n"))
	if err != nil || c.Engine.Temporal.Namespace != "karbor" || c.Engine.Temporal.Queue != "karbor" || !c.Engine.Temporal.TLS.Enabled {
		t.Errorf("got %+v, %v", c.Engine, err)
	}
}

func TestEngineFaultsAreNamed(t *testing.T) {
	cases := map[string]struct{ text, want string }{
		"another engine":      {"{type: other}", `engine.type: "other"`},
		"no address":          {"{type: temporal}", "engine.temporal.address: "},
		"no namespace":        {"{type: temporal, temporal: {address: 'a:1', namespace: ''}}", "engine.temporal.namespace: "},
		"a queue in quotes":   {"{temporal: {queue: \"a' or 1\"}}", "engine.temporal.queue: "},
		"half a certificate":  {"{temporal: {tls: {enabled: true, cert_file: /a}}}", "cert_file and key_file"},
		"settings in the air": {"{temporal: {tls: {ca_file: /a}}}", "it is not enabled"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := Load(write(t, enough+"engine: "+c.text+"\n"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestEngineFilesAreNamedWhenTheyAreMissing(t *testing.T) {
	_, _, _, err := TemporalTLS{CAFile: "/nowhere/ca.pem"}.Files()
	if err == nil || !strings.Contains(err.Error(), "engine.temporal.tls.ca_file") {
		t.Errorf("got %v", err)
	}
}
