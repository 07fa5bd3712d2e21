package openstack

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"net/http"
	"testing"

	"github.com/karbor/karbor"
)

func TestImageIsTakenOnlyWithTheBytesThatGlanceHasAnnounced(t *testing.T) {
	data := bytes.Repeat([]byte("karbor"), 1000)
	sum := sha512.Sum512(data)
	announced := ImageDigest{Size: int64(len(data)), HashAlgo: "sha512", HashValue: hex.EncodeToString(sum[:])}
	changed := bytes.Clone(data)
	changed[4711] ^= 1
	for name, c := range map[string]struct {
		sent   []byte
		want   ImageDigest
		refuse bool
	}{
		"as announced":                     {data, announced, false},
		"nothing is announced":             {data, ImageDigest{}, false},
		"no size, and as many as may be":   {data, ImageDigest{Most: int64(len(data))}, false},
		"no size, and more than may be":    {append(bytes.Clone(data), data...), ImageDigest{Most: int64(len(data))}, true},
		"no size, and another digest":      {changed, ImageDigest{Most: int64(len(data)), HashAlgo: announced.HashAlgo, HashValue: announced.HashValue}, true},
		"a digest that we don't know":      {data, ImageDigest{Size: int64(len(data)), HashAlgo: "shake", HashValue: "00"}, false},
		"another byte":                     {changed, announced, true},
		"another byte, and MD5 only":       {changed, ImageDigest{Size: int64(len(data)), Checksum: "0ac1a5e1ae3cd0e1e3b2a9c24c5ba1ef"}, true},
		"shorter":                          {data[:4096], announced, true},
		"larger":                           {append(bytes.Clone(data), data...), announced, true},
		"larger, and no digest to tell it": {append(bytes.Clone(data), data...), ImageDigest{Size: int64(len(data))}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := answers(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(c.sent) })
			var got bytes.Buffer
			err := CopyImage(t.Context(), imageClient(t, s), "i", c.want, &got, nil)
			if c.refuse != karbor.IsTransient(err) || !c.refuse && (err != nil || !bytes.Equal(got.Bytes(), data)) {
				t.Errorf("got %d bytes, %v", got.Len(), err)
			}
			if most := int(max(c.want.Size, c.want.Most)) + 1; most > 1 && got.Len() > most {
				t.Errorf("%d bytes were taken; at most %d may come", got.Len(), most-1)
			}
		})
	}
}

// endless is what a cloud sends that does not end.
type endless struct{ left int64 }

func (e *endless) Write(p []byte) (int, error) {
	if e.left -= int64(len(p)); e.left < 0 {
		return 0, errors.New("more is taken than there can be")
	}
	return len(p), nil
}

// TestImageOfNoSizeIsNotReadForEver has Glance announce nothing of an image whose bytes do not end.
func TestImageOfNoSizeIsNotReadForEver(t *testing.T) {
	s, _ := answers(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := w.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	})
	for name, want := range map[string]ImageDigest{
		"of a volume of 1 MiB":                {Most: 1 << 20},
		"of a volume, with a size of its own": {Most: 1 << 30, Size: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			err := CopyImage(t.Context(), imageClient(t, s), "i", want, &endless{left: 1<<20 + 1}, nil)
			if !karbor.IsTransient(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
