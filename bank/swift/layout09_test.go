//go:build banks

package swift_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/swift"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
)

// pythonObject writes an object as Python Karbor does: its name begins with a slash, and
// its metadata say whether it holds JSON.
func pythonObject(t *testing.T, token, container, key string, text []byte, serialized string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, container+"//"+key, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Auth-Token", token)
	req.Header.Set("X-Object-Meta-Serialized", serialized)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("writing %s gives %s", key, resp.Status)
	}
}

func TestBankOfPythonKarborIsReadFromDebiansSwift(t *testing.T) {
	c := startCluster(t)
	token, storage, err := c.login(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	openBank(t, c.keystone().URL, "python", nil) // makes the container
	container := storage + "/python"
	const sample = "../../internal/checkpoint/layout09/testdata/sample"
	err = filepath.WalkDir(sample, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		serialized := "False"
		if bytes.HasPrefix(text, []byte("{")) {
			serialized = "True"
		}
		pythonObject(t, token, container, strings.TrimPrefix(path, sample+"/"), text, serialized)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// The sample has no bulk data: its first checkpoint gets some, as Python 3 wrote it.
	const id, volume = "022d5da6-f185-49ec-932a-24730270b4f3", "11111111-1111-4111-8111-111111111110"
	resource := "checkpoints/" + id + "/resource-data/" + volume + "/"
	pythonObject(t, token, container, resource+"status", []byte("available"), "False")
	pythonObject(t, token, container, resource+"data_1", []byte(`"\u0000k\u00e4se"`), "True")
	pythonObject(t, token, container, resource+"data_2", []byte(`""`), "True")
	pythonObject(t, token, container, resource+"metadata", fmt.Appendf(nil,
		`{"volume_id": %q, "volume_size": 1, "chunks_num": 2, "image_metadata": {"disk_format": "raw", "checksum": null}}`, volume), "True")

	b := openBank(t, c.keystone().URL, "python", func(o *swift.Options) { o.Layout09, o.ReadOnly, o.CreateContainer = true, true, false })
	old := layout09.New(b)
	found := map[karbor.CheckpointStatus]int{}
	if err := old.Scan(t.Context(), func(cp layout09.Checkpoint) error { found[cp.Status]++; return nil }, func(id string, err error) {
		t.Errorf("checkpoint %s: %v", id, err)
	}); err != nil {
		t.Fatal(err)
	}
	if len(found) != 4 || found[karbor.CheckpointAvailable] != 2 || found[karbor.CheckpointDeleted] != 2 {
		t.Errorf("it lists %v", found)
	}
	findings, err := old.Verify(t.Context(), id, nil)
	if err != nil || len(findings) != 1 || findings[0].Err != nil || findings[0].Size != int64(len("\x00käse")) {
		t.Errorf("%+v, %v", findings, err)
	}
	if i, err := old.Prepare(t.Context(), id); err != nil || i.Size != int64(len("\x00käse")) {
		t.Errorf("%+v, %v", i, err)
	}
}
