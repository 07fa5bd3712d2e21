package file

import "os"

// flushStep is how many bytes of a file are written before the disk is told to begin with them.
const flushStep = 4 << 20

// flushed is a file that is written piece by piece, and that the disk writes meanwhile: so the
// sync at its end has little left to wait for.
type flushed struct {
	file *os.File
	// written is how much of it was, begun how much of that the disk was told of.
	written, begun int64
}

// Write implements io.Writer.
func (f *flushed) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.written += int64(n)
	if due := f.written - f.begun; err == nil && due >= flushStep {
		err = begin(f.file, f.begun, due)
		f.begun = f.written
	}
	return n, err
}
