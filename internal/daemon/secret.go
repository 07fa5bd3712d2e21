package daemon

import (
	"context"
	"sync"

	"github.com/karbor/karbor/internal/openstack"
	"github.com/karbor/karbor/internal/repository/keyring"
)

// Secrets gives the payloads of Barbican's secrets to a program that is not the service,
// but has its configuration: it logs in as the service user when the first is asked for.
// Of Options, Config and Now count.
func Secrets(o Options) keyring.Secrets { return &secrets{options: o} }

type secrets struct {
	options Options

	mu        sync.Mutex
	authority *openstack.Authority
}

// Payload implements keyring.Secrets.
func (s *secrets) Payload(ctx context.Context, url string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.authority == nil {
		password, err := s.options.Config.Keystone.Password()
		if err != nil {
			return nil, err
		}
		o := s.options
		o.Password = password
		if s.authority, err = newAuthority(ctx, o); err != nil {
			return nil, err
		}
	}
	return s.authority.Payload(ctx, url)
}
