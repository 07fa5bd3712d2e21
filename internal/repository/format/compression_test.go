package format

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestGroupsOfEverySizeOpenAgain goes through the sizes at which the heads of frames and blocks
// change, with bytes that compress well.
func TestGroupsOfEverySizeOpenAgain(t *testing.T) {
	d, err := NewDecompressor()
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var sizes []int
	for n := 1; n <= 1200; n++ {
		sizes = append(sizes, n)
	}
	for _, at := range []int{1 << 14, 1 << 16, 1<<16 + 256, 1 << 18, MaxGroup} {
		for n := at - 3; n <= min(at+3, MaxGroup); n++ {
			sizes = append(sizes, n)
		}
	}
	for _, way := range []Compression{None, Zstd, S2, Auto} {
		c, err := NewCompressor(way)
		if err != nil {
			t.Fatal(err)
		}
		for _, period := range []int{1, 7, 36} {
			for _, n := range sizes {
				raw := make([]byte, n)
				for i := range raw {
					raw[i] = byte(i % period)
				}
				what := fmt.Sprintf("%d bytes with the period %d, compression %d", n, period, way)
				body, used := c.compress(nil, raw)
				got, err := d.decompress(nil, body, used, n)
				if err != nil || !bytes.Equal(got, raw) {
					t.Fatalf("%s, stored as %d: %v", what, used, err)
				}
			}
		}
	}
}

// Digits of random bytes have no repeats that are worth a word, and fewer bits than bytes have.
func TestDigitsAreCompressedAndRandomBytesAreNot(t *testing.T) {
	raw := make([]byte, MaxGroup)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range raw {
		raw[i] = byte(rnd.Uint32())
	}
	texts := map[string]struct {
		text []byte
		most int
	}{
		"hexadecimal":    {[]byte(hex.EncodeToString(raw[:MaxGroup/2])), MaxGroup * 55 / 100},
		"base64":         {[]byte(base64.StdEncoding.EncodeToString(raw[:MaxGroup*3/4])), MaxGroup * 80 / 100},
		"random":         {raw, MaxGroup},
		"seven of eight": {seven(raw), MaxGroup * 91 / 100},
	}
	c, err := NewCompressor(Zstd)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range texts {
		body, used := c.compress(nil, x.text[:MaxGroup])
		if len(body) > x.most || (used == None) != (name == "random") {
			t.Errorf("%s: %d bytes, by compression %d", name, len(body), used)
		}
	}
}

// Text of few words is dense, records with noise in them are not.
func TestAutoChoosesForEachGroup(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	random := make([]byte, MaxGroup)
	for i := range random {
		random[i] = byte(rnd.Uint32())
	}
	half := slices.Clone(random) // each kilobyte half of noise, half of what has been there
	for at := 0; at < len(half); at += 1 << 10 {
		copy(half[at+512:at+1<<10], half[:512])
	}
	texts := map[string]struct {
		text []byte
		want Compression
	}{
		"dense":       {bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog; "), MaxGroup/45), Zstd},
		"half noise":  {half, S2},
		"hexadecimal": {[]byte(hex.EncodeToString(random[:MaxGroup/2])), Zstd},
		"random":      {random, None},
		"short":       {bytes.Repeat([]byte("short "), 100), Zstd},
	}
	c, err := NewCompressor(Auto)
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range texts {
		if _, used := c.compress(nil, x.text); used != x.want {
			t.Errorf("%s: compression %d, not %d", name, used, x.want)
		}
	}
}

// seven clears the highest bit of each byte.
func seven(raw []byte) []byte {
	out := slices.Clone(raw)
	for i := range out {
		out[i] &= 0x7f
	}
	return out
}
