package temporaltest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
)

// Proxy is the network between one process and a server: it can be frozen, or cut.
type Proxy struct {
	// Address is where the process finds the server.
	Address string

	to       string
	listener net.Listener
	running  sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	cut   bool
	// open is closed as long as bytes go through.
	open chan struct{}
}

// NewProxy makes the way to an address, on loopback.
func NewProxy(ctx context.Context, to string) (*Proxy, error) {
	return NewProxyAt(ctx, "127.0.0.1:0", to)
}

// NewProxyAt makes the way to an address that begins at another one.
func NewProxyAt(ctx context.Context, at, to string) (*Proxy, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", at)
	if err != nil {
		return nil, fmt.Errorf("listening as a proxy: %w", err)
	}
	p := &Proxy{Address: l.Addr().String(), to: to, listener: l, open: make(chan struct{})}
	close(p.open)
	p.running.Go(func() { p.accept(context.WithoutCancel(ctx)) })
	return p, nil
}

func (p *Proxy) accept(ctx context.Context) {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		var d net.Dialer
		out, err := d.DialContext(ctx, "tcp", p.to)
		if err != nil || !p.keep(in, out) {
			_ = in.Close()
			if out != nil {
				_ = out.Close()
			}
			continue
		}
		p.running.Go(func() { p.pass(in, out) })
		p.running.Go(func() { p.pass(out, in) })
	}
}

func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.cut {
		p.conns = append(p.conns, conns...)
	}
	return !p.cut
}

// pass moves bytes in one direction.
func (p *Proxy) pass(to, from net.Conn) {
	defer func() { _ = to.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		p.mu.Lock()
		open := p.open
		p.mu.Unlock()
		<-open
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Freeze lets nothing through until Thaw.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make(chan struct{})
}

// Thaw ends Freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.thaw()
}

func (p *Proxy) thaw() {
	select {
	case <-p.open:
	default:
		close(p.open)
	}
}

// Cut breaks all connections, and lets none be made any more.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.thaw()
	for _, c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
}

// Close ends the proxy.
func (p *Proxy) Close() error {
	p.Cut()
	err := p.listener.Close()
	p.running.Wait()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}
