package protection

import "io"

// Meter is a reader that reports how many bytes have gone through it. It is for
// one goroutine.
type Meter struct {
	Reader io.Reader
	// Total is the number of bytes expected, or 0.
	Total int64
	// Report is called after each read; it may be nil.
	Report func(done, total int64)

	done int64
}

// Read implements io.Reader.
func (m *Meter) Read(p []byte) (int, error) {
	n, err := m.Reader.Read(p)
	m.done += int64(n)
	if m.Report != nil && n > 0 {
		m.Report(m.done, m.Total)
	}
	return n, err
}
