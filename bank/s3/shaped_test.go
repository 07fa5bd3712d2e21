//go:build banks

package s3_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"github.com/karbor/karbor/bank/banktest/versitygw"
)

// The line between bank and store in the benchmark.
const (
	lineRate    = 100_000_000 // bytes per second in each direction, of all connections together
	lineLatency = 20 * time.Millisecond
	// packSize and uploaders are those of the repository's writer.
	packSize  = 32 << 20
	uploaders = 2
)

// shapedLine is a proxy that gives and takes bytes late and slowly.
type shapedLine struct {
	listener net.Listener
	target   string
	tasks    sync.WaitGroup
	mu       sync.Mutex
	conns    []net.Conn
}

func newShapedLine(t testing.TB, target string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &shapedLine{listener: l, target: target}
	up, down := rate.NewLimiter(lineRate, 1<<20), rate.NewLimiter(lineRate, 1<<20)
	s.tasks.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", target)
			if err != nil {
				_ = in.Close()
				continue
			}
			s.mu.Lock()
			s.conns = append(s.conns, in, out)
			s.mu.Unlock()
			s.tasks.Go(func() { carry(in, out, up) })
			s.tasks.Go(func() { carry(out, in, down) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.tasks.Wait()
	})
	return l.Addr().String()
}

// piece is some bytes that may come out from a time on.
type piece struct {
	data []byte
	at   time.Time
}

// carry carries bytes with the line's rate and half of its latency: the other half is
// the answer's.
func carry(from, to net.Conn, pace *rate.Limiter) {
	// What is on the way at most: a window of bandwidth times latency, and some.
	pieces := make(chan piece, 256)
	var reader sync.WaitGroup
	reader.Go(func() {
		defer close(pieces)
		for {
			buf := make([]byte, 128<<10)
			n, err := from.Read(buf)
			if n > 0 {
				if pace.WaitN(context.Background(), n) != nil {
					return
				}
				pieces <- piece{buf[:n], time.Now().Add(lineLatency / 2)}
			}
			if err != nil {
				return
			}
		}
	})
	for p := range pieces {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
	for range pieces { // until the reader sees it
		continue
	}
	reader.Wait()
}

// rawRate gives the bytes per second that as many connections as uploaders get over
// a line of this kind when they only write, and something only reads.
func rawRate(b *testing.B, size int) float64 {
	b.Helper()
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var tasks sync.WaitGroup
	tasks.Go(func() {
		for range uploaders {
			conn, err := sink.Accept()
			if err != nil {
				return
			}
			tasks.Go(func() {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			})
		}
	})
	line := newShapedLine(b, sink.Addr().String())
	start := time.Now()
	var writers errgroup.Group
	for range uploaders {
		writers.Go(func() error {
			conn, err := net.Dial("tcp", line)
			if err != nil {
				return err
			}
			defer func() { _ = conn.Close() }()
			_, err = conn.Write(make([]byte, size/uploaders))
			return err
		})
	}
	if err := writers.Wait(); err != nil {
		b.Fatal(err)
	}
	tasks.Wait()
	_ = sink.Close()
	return float64(size) / time.Since(start).Seconds()
}

// BenchmarkPacksOverALimitedLine puts packs as the repository's writer does, over a
// line of 100 MB/s with 20 ms latency, and reports which part of its rate they used,
// and which part of what the machine can bring over such a line at all.
func BenchmarkPacksOverALimitedLine(b *testing.B) {
	endpoint := versitygw.Start(b)
	line := newShapedLine(b, endpoint[len("http://"):])
	bank := openBank(b, "http://"+line, newBucket(b, endpoint, false, false), nil)
	pack := make([]byte, packSize)
	random := rand.NewChaCha8([32]byte{1})
	if _, err := io.ReadFull(random, pack); err != nil {
		b.Fatal(err)
	}
	const packs = 24
	b.SetBytes(packs * packSize)
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		var tasks errgroup.Group
		next := make(chan int)
		for range uploaders {
			tasks.Go(func() error {
				for n := range next {
					if err := bank.Create(b.Context(), fmt.Sprintf("packs/%d/%d", i, n), bytes.NewReader(pack), packSize); err != nil {
						return err
					}
				}
				return nil
			})
		}
		for n := range packs {
			next <- n
		}
		close(next)
		if err := tasks.Wait(); err != nil {
			b.Fatal(err)
		}
		got := float64(packs*packSize) / time.Since(start).Seconds()
		b.StopTimer()
		b.ReportMetric(100*got/lineRate, "%-of-line")
		b.ReportMetric(100*got/rawRate(b, packs*packSize), "%-of-raw")
		b.StartTimer()
	}
}
