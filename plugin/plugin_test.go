package plugin

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/karbor/karbor"
)

type options struct {
	Path string        `yaml:"path"`
	Wait time.Duration `yaml:"wait"`
}

// Validate implements the check that Define looks for.
func (o options) Validate() error {
	if o.Path == "" {
		return errors.New("path: it is needed")
	}
	return nil
}

var sample = Define("sample", "Says what it was told.",
	func() options { return options{Wait: time.Second} },
	func(_ context.Context, o options) (string, error) {
		if o.Path == "/broken" {
			return "", errors.New("no such disk")
		}
		return o.Path + " " + o.Wait.String(), nil
	})

func node(t *testing.T, text string) ast.Node {
	t.Helper()
	if text == "" {
		return nil
	}
	f, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		t.Fatal(err)
	}
	return f.Docs[0].Body
}

func TestOpenReadsOptionsOverTheDefaults(t *testing.T) {
	got, err := sample.Open(t.Context(), node(t, "path: /a\n"))
	if err != nil || got != "/a 1s" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestOpenNamesPluginAndFault(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "path: it is needed",
		"path: /a\nwiat: 1s\n":     `unknown field "wiat"`,
		"path: /a\nwait: soon\n":   `invalid duration "soon"`,
		"path: /broken\n":          "opening plug-in sample: no such disk",
		"path: [1]\n":              "path",
		"wait: 2s\n":               "path: it is needed",
		"- path: /a\n- wait: 1s\n": "sample",
	} {
		_, err := sample.Open(t.Context(), node(t, text))
		if err == nil || !strings.Contains(err.Error(), "sample") || !strings.Contains(err.Error(), want) {
			t.Errorf("options %q give %v, want %q", text, err, want)
		}
	}
}

func TestFindListsWhatThereIs(t *testing.T) {
	set := Set[string]{sample}
	if d, err := set.Find("sample"); err != nil || d.Summary() == "" {
		t.Errorf("got %+v, %v", d, err)
	}
	_, err := set.Find("simple")
	if karbor.KindOf(err) != karbor.Invalid || !strings.Contains(err.Error(), "there are: sample") {
		t.Errorf("error is %v", err)
	}
}

func TestDefaultsAreFreshEachTime(t *testing.T) {
	first, ok := sample.Defaults().(options)
	if !ok || first.Wait != time.Second {
		t.Fatalf("defaults are %+v", first)
	}
}

func TestThroughWrapsWhatIsOpened(t *testing.T) {
	loud := sample.Through(func(text string) string { return text + "!" })
	if got, err := loud.Open(t.Context(), node(t, "path: /a\n")); err != nil || got != "/a 1s!" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := loud.Open(t.Context(), node(t, "path: /broken\n")); err == nil || got != "" {
		t.Errorf("got %q, %v", got, err)
	}
	if loud.Name() != sample.Name() {
		t.Errorf("its name is %q", loud.Name())
	}
}
