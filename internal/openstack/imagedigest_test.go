package openstack

import (
	"bytes"
	"crypto/sha512"
	"encoding/hex"
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
			if most := int(c.want.Size) + 1; c.want.Size > 0 && got.Len() > most {
				t.Errorf("%d bytes were taken; at most %d are announced", got.Len(), most-1)
			}
		})
	}
}
