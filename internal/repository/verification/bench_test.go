package verification

import (
	"testing"

	"github.com/karbor/karbor/bank/banktest"
)

// Bytes that do not compress, and bytes that compress to about a third.
func BenchmarkVerify(b *testing.B) {
	const size = 64 << 20
	for name, data := range map[string][]byte{"random": random(1, size), "text": text(1, size)} {
		bank := banktest.NewMemory()
		d := newDomain(b, bank)
		write(b, d, manifestOf(1, 1), data)
		for _, depth := range depths() {
			b.Run(name+"/"+string(depth), func(b *testing.B) {
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					if r := domain(b, d, options(depth)); !r.Good() {
						b.Fatal(r)
					}
				}
			})
		}
	}
}
