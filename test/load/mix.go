package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"
)

// planBody is a plan for the provider of "karbord dev" that moves nothing.
const planBody = `{"plan":{"name":"load","provider_id":"` + noopProvider + `","parameters":{},
	"resources":[{"id":"25336116-f38e-4c22-81ad-e9b7bd71ba51","type":"OS::Cinder::Volume","name":"root","extra_info":{"availability_zone":"nova"}}]}}`

// mix makes the requests: of a hundred, 25 list a page of 100 plans, 65 get one and 10
// create one.
type mix struct {
	list, create []byte
	get          [][]byte
	health       []byte
}

func newMix(k *site) mix {
	request := func(method, path, body string) []byte {
		return fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\nX-Auth-Token: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			method, path, k.host, k.token, len(body), body)
	}
	plans := "/v1/" + k.project + "/plans"
	m := mix{
		list: request("GET", plans+"?limit=100", ""), create: request("POST", plans, planBody),
		health: request("GET", "/healthcheck", ""),
	}
	for _, id := range k.plans {
		m.get = append(m.get, request("GET", plans+"/"+id, ""))
	}
	return m
}

func (m mix) next(r *rand.Rand) []byte {
	switch n := r.IntN(100); {
	case n < 25:
		return m.list
	case n < 90:
		return m.get[r.IntN(len(m.get))]
	default:
		return m.create
	}
}

// connection is one to the service, for one request at a time.
type connection struct {
	net.Conn
	in *bufio.Reader
}

// answerTime is how long an answer may take before the request counts as failed.
const answerTime = 30 * time.Second

func dial(ctx context.Context, host string) (*connection, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	return &connection{c, bufio.NewReaderSize(c, 16<<10)}, nil
}

// ask sends a request and takes the answer. gone says that the connection can't be used
// again.
func (c *connection) ask(request []byte) (status int, retry, gone bool, err error) {
	if err := c.SetDeadline(time.Now().Add(answerTime)); err != nil {
		return 0, false, true, err
	}
	if _, err := c.Write(request); err != nil {
		return 0, false, true, err
	}
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, false, true, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	return resp.StatusCode, resp.Header.Get("Retry-After") != "", err != nil || resp.Close, err
}

// noopProvider is the provider of "karbord dev" that does nothing to any resource.
const noopProvider = "6d2b8f0e-5d0c-4a86-9f1a-0a6c1f9e7b02"
