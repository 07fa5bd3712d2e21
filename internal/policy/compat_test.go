//go:build compat

package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	update = flag.Bool("update", false, "write the corpus of oslo.policy's answers anew")
	seed   = flag.Uint64("seed", 20261121, "the seed that rules are written from")
	cases  = flag.Int("cases", 20_000, "how many rules are compared")
)

// corpusCases is how many rules the corpus holds, written from corpusSeed.
const (
	corpusCases = 3000
	corpusSeed  = 1
)

// python gives an interpreter that has oslo.policy.
func python(t *testing.T) string {
	t.Helper()
	var tried []byte
	for _, name := range []string{"/usr/bin/python3", "python3"} {
		out, err := exec.CommandContext(t.Context(), name, "-c", "import oslo_policy").CombinedOutput()
		if err == nil {
			return name
		}
		tried = append(tried, out...)
	}
	t.Fatalf("no Python has oslo.policy (Debian: apt-get install python3-oslo.policy):\n%s", tried)
	return ""
}

// askOslo fills in what oslo.policy says of the cases.
func askOslo(t *testing.T, list []osloCase) {
	t.Helper()
	worlds, err := os.ReadFile(filepath.Join(osloDir, "worlds.json"))
	if err != nil {
		t.Fatal(err)
	}
	var in, errs bytes.Buffer
	if err := json.Compact(&in, worlds); err != nil {
		t.Fatal(err)
	}
	in.WriteByte('\n')
	for _, c := range list {
		line, err := json.Marshal(map[string]any{"rule": c.Rule})
		if err != nil {
			t.Fatal(err)
		}
		in.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), python(t), filepath.Join(osloDir, "decide.py"))
	cmd.Stdin, cmd.Stderr = &in, &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for i := range list {
		if !lines.Scan() {
			t.Fatalf("oslo.policy answered %d rules of %d\n%s", i, len(list), errs.String())
		}
		if err := json.Unmarshal(lines.Bytes(), &list[i]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOsloPolicyDecidesAsWeDo(t *testing.T) {
	list := osloCases(*seed, *cases)
	askOslo(t, list)
	worlds := readWorlds(t)
	refused, differences := 0, 0
	for _, c := range list {
		if (&entry{}).parseValue(c.Rule) != nil {
			refused++
		}
		for _, difference := range compareWithOslo(worlds, c) {
			if differences++; differences < 50 {
				t.Error(difference)
			}
		}
	}
	t.Logf("seed %d: %d rules in %d worlds, %d of them refused, %d differences", *seed, len(list), len(worlds), refused, differences)
}

func TestTheCorpusIsWhatOsloPolicySays(t *testing.T) {
	list := osloCases(corpusSeed, corpusCases)
	askOslo(t, list)
	var out bytes.Buffer
	for _, c := range list {
		line, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, string(line))
	}
	path := filepath.Join(osloDir, "corpus.jsonl")
	if *update {
		if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, out.Bytes()) {
		t.Errorf("%s is not what oslo.policy says (%v); run with -update", path, err)
	}
}
