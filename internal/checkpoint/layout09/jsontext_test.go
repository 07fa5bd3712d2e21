package layout09

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

func FuzzJSONText(f *testing.F) {
	for _, text := range []string{`"abc"`, `"\u00e4\ud83e\uddc0\n\"\\\/"`, `"`, ``, `"\ud83e"`, `"\ud83e\u0041"`, `"a" x`, "\"a\n\"", `"\x"`, `"\u12"`, " \"a\"", "\"a\" \n"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, r := range map[string]io.Reader{"at once": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text))} {
			got, err := io.ReadAll(iotest.OneByteReader(newJSONText(r)))
			var want string
			wantErr := json.Unmarshal([]byte(text), &want)
			switch {
			case strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }):
				if err == nil {
					t.Errorf("%s: %q has more than ASCII, and gives %q", name, text, got)
				}
			case strings.Contains(want, "\ufffd") || strings.TrimLeft(text, " \t\r\n") != text:
				// The standard library puts U+FFFD in the place of what can't be; and takes white space in front.
			case strings.TrimSpace(text) == "null":
				if err == nil {
					t.Errorf("%s: null is %q", name, got)
				}
			case (err == nil) != (wantErr == nil) || err == nil && string(got) != want:
				t.Errorf("%s: %q gives %q, %v, want %q, %v", name, text, got, err, want, wantErr)
			}
		}
	})
}

func TestReadersOfTextsTakeLittleMemory(t *testing.T) {
	long := io.MultiReader(strings.NewReader(`"`), io.LimitReader(zeros{}, 6<<20), strings.NewReader(`"`))
	n, err := io.Copy(io.Discard, newJSONText(long))
	if err != nil || n != 1<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	allocated := testing.AllocsPerRun(1, func() {
		long := io.MultiReader(strings.NewReader(`"`), io.LimitReader(zeros{}, 6<<20), strings.NewReader(`"`))
		_, _ = io.Copy(io.Discard, newJSONText(long))
	})
	if allocated > 50 {
		t.Errorf("%v allocations", allocated)
	}
}

// zeros gives zero bytes as Python writes them in a text.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	n := len(p) / 6 * 6
	for i := range n {
		p[i] = `\u0000`[i%6]
	}
	return n, nil
}
