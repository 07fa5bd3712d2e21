package layout09_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"testing"

	"pgregory.net/rapid"

	"github.com/karbor/karbor"
	"github.com/karbor/karbor/bank/banktest"
	"github.com/karbor/karbor/internal/checkpoint/layout09"
)

// store puts an object into a bank in memory.
func store(t rapid.TB, m *banktest.Memory, key string, text []byte) {
	if err := m.Put(context.Background(), key, bytes.NewReader(text), int64(len(text))); err != nil {
		t.Fatal(err)
	}
}

const indexText = `{"version":"0.9","id":"` + cpID + `","status":"available","owner_id":"o","provider_id":"` + provider +
	`","project_id":"` + project + `","protection_plan":{"id":"` + planID + `","name":"n","provider_id":"` + provider +
	`","resources":[]},"extra_info":"{}","created_at":"2026-11-21","timestamp":1,"resource_graph":%s}`

// readEverything reads all that there is of the checkpoint.
func readEverything(m *banktest.Memory) error {
	c := layout09.New(m)
	ctx := context.Background()
	cp, err := c.Get(ctx, cpID)
	if err != nil {
		return err
	}
	if _, err := c.Verify(ctx, cpID, nil); err != nil {
		return err
	}
	if cp.Status != karbor.CheckpointAvailable {
		return nil
	}
	i, err := c.Prepare(ctx, cpID)
	if err == nil && i.Size < 0 {
		return fmt.Errorf("it has %d bytes", i.Size)
	}
	return nil
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte(fmt.Sprintf(indexText, `"[{},[]]"`)))
	f.Add([]byte(fmt.Sprintf(indexText, `[{"0x0":["OS::Nova::Server","a","n",{"x":1}],"0x1":["OS::Nova::Server","a",null,null]},[["0x1",["0x0"]]]]`)))
	f.Add([]byte(fmt.Sprintf(indexText, `"[{\"0x0\":[\"OS::Cinder::Volume\",\"a\",\"n\"]},[[\"0x0\",[\"0x0\"]]]]"`)))
	f.Add([]byte(`{"version":"0.9"}`))
	f.Add([]byte("\"\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		m := banktest.NewMemory()
		store(t, m, "checkpoints/"+cpID+"/index.json", text)
		_ = readEverything(m) // it must end, and not panic
	})
}

func FuzzMetadata(f *testing.F) {
	for _, text := range []string{
		`{"volume_id":"v","volume_size":"1","chunks_num":2,"image_metadata":{"disk_format":"raw","checksum":null}}`,
		`{"attach_metadata":{"v":{"device":"/dev/vdb","bootable":"true"}},"boot_metadata":{"boot_device_type":"volume"},"server_metadata":{"flavor":{"id":"1"},"networks":["n"],"floating_ips":["1.2.3.4"],"security_groups":[{"name":"g"}]}}`,
		`{"network_metadata":{"n":{"name":"x","mtu":1}},"port_metadata":{"p":{"device_id":"r","device_owner":"network:router_interface","network_id":"n"}},"router_metadata":{"r":{"external_gateway_info":{"network_id":"n"}}},"security-group_metadata":{"g":{"security_group_rules":[{}]}}}`,
		`{"backup_id":"b"}`, `[]`, `null`, `{"chunks_num":1e9}`,
	} {
		f.Add([]byte(text), []byte("\"text\\u00e4\""))
	}
	const graph = `[{"0x0":["OS::Nova::Server","s","s"],"0x1":["OS::Cinder::Volume","v","v"],"0x2":["OS::Glance::Image","i","i"],` +
		`"0x3":["OS::Neutron::Network","` + project + `","t"],"0x4":["OS::Neutron::Network","n","t"],"0x5":["OS::Keystone::Project","p","p"]},[["0x0",["0x1","0x2"]]]]`
	f.Fuzz(func(t *testing.T, text, data []byte) {
		m := banktest.NewMemory()
		store(t, m, "checkpoints/"+cpID+"/index.json", []byte(fmt.Sprintf(indexText, graph)))
		for _, id := range []string{"s", "v", "i", project, "n"} {
			store(t, m, resourceKey(id, "metadata"), text)
			store(t, m, resourceKey(id, "status"), []byte("available"))
			store(t, m, resourceKey(id, "data_1"), data)
			store(t, m, resourceKey(id, "data_2"), data)
		}
		if err := readEverything(m); err != nil && !errors.As(err, new(*layout09.DamageError)) {
			t.Errorf("%v", err)
		}
	})
}

func TestBulkDataIsReadHoweverItWasKept(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		content := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "content")
		kept := rapid.SampledFrom([]string{"raw", "text", "looks like text"}).Draw(r, "kept")
		switch kept {
		case "text":
			content = []byte(rapid.StringN(0, 100, -1).Draw(r, "text"))
		case "looks like text":
			content = []byte(rapid.StringMatching(`"[a-z]{0,20}"`).Draw(r, "quoted"))
		}
		m := banktest.NewMemory()
		parts := 0
		for rest := content; ; {
			n := rapid.IntRange(1, 100).Draw(r, "piece")
			for kept == "text" && n < len(rest) && rest[n]&0xc0 == 0x80 {
				n++ // Python could not keep half a character as text
			}
			n = min(n, len(rest))
			piece := rest[:n]
			if kept == "text" {
				piece = pythonText(string(piece))
			}
			parts++
			store(r, m, resourceKey(volume1, fmt.Sprint("data_", parts)), piece)
			if rest = rest[n:]; n == 0 || len(rest) == 0 && rapid.Bool().Draw(r, "no empty one at the end") {
				break
			}
		}
		sum := md5.Sum(content)
		store(r, m, "checkpoints/"+cpID+"/index.json", []byte(fmt.Sprintf(indexText, `[{"0x0":["OS::Cinder::Volume","`+volume1+`","v"]},[]]`)))
		metadata, err := json.Marshal(object{"chunks_num": parts, "volume_size": 1, "image_metadata": object{"checksum": hex.EncodeToString(sum[:])}})
		if err != nil {
			r.Fatal(err)
		}
		store(r, m, resourceKey(volume1, "metadata"), metadata)
		got, err := readVolume(m)
		if err != nil || !bytes.Equal(got, content) {
			r.Fatalf("%s: %q, %v", kept, got, err)
		}
	})
}

func readVolume(source layout09.Source) ([]byte, error) {
	ctx := context.Background()
	c := layout09.New(source)
	cp, err := c.Get(ctx, cpID)
	if err != nil {
		return nil, err
	}
	all, err := c.Contents(ctx, cp)
	if err != nil {
		return nil, err
	}
	n, err := all.Node(ctx, "volume/"+volume1)
	if err != nil {
		return nil, err
	}
	r, err := n.Data().Open(ctx, "data")
	if err != nil {
		return nil, err
	}
	size := r.Summary().Size
	got, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err == nil && int64(len(got)) != size {
		err = fmt.Errorf("it was to have %d bytes", size)
	}
	return got, err
}
