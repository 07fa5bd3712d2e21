//go:build temporal && !multihost

package scaleout

import (
	"io"
	"net"
	"sync"
	"testing"
)

// line is a way to a server that can be cut, and joined again. What goes over it is cut with it.
type line struct {
	address string // where it begins
	to      string

	mu    sync.Mutex
	down  bool
	ends  map[net.Conn]struct{}
	going sync.WaitGroup
}

func newLine(t *testing.T, to string) *line {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{address: listener.Addr().String(), to: to, ends: map[net.Conn]struct{}{}}
	l.going.Go(func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			l.going.Go(func() { l.carry(near) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		l.cut()
		l.going.Wait()
	})
	return l
}

// hold keeps an end of a connection, to close it when the line is cut, and reports whether it is not.
func (l *line) hold(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return false
	}
	l.ends[c] = struct{}{}
	return true
}

func (l *line) drop(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.ends, c)
	_ = c.Close() // it may be closed
}

// carry carries one connection until either side ends it, or the line is cut.
func (l *line) carry(near net.Conn) {
	defer l.drop(near)
	if !l.hold(near) {
		return
	}
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		return
	}
	defer l.drop(far)
	if !l.hold(far) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far) // whoever is at its end sees why
		l.drop(near)
	})
	_, _ = io.Copy(far, near)
	l.drop(far)
	back.Wait()
}

// cut ends all connections, and refuses new ones until join.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for c := range l.ends {
		_ = c.Close()
	}
}

func (l *line) join() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}
