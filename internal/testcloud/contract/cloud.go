package contract

import (
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"
)

// cloud is a target with its sessions, for one part of the suite.
type cloud struct {
	Target
	http   *http.Client
	prefix string
	member *session
	other  *session
	// reader and admin are nil when the target has none.
	reader *session
	admin  *session
}

func newCloud(t *testing.T, target Target) *cloud {
	t.Helper()
	c := &cloud{
		Target: target,
		http:   &http.Client{Transport: &http.Transport{}, Timeout: 5 * time.Minute},
		prefix: "contract-" + strings.ToLower(rand.Text()[:8]) + "-",
	}
	t.Cleanup(c.http.CloseIdleConnections)
	c.member = c.login(t, target.Member)
	c.other = c.login(t, target.Other)
	if target.Reader != nil {
		c.reader = c.login(t, *target.Reader)
	}
	if target.Admin != nil {
		c.admin = c.login(t, *target.Admin)
	}
	return c
}

// name gives a name for something new, with the run's prefix.
func (c *cloud) name(what string) string { return c.prefix + what }

// login gets a token for the credentials, scoped to their project. The session
// renews it.
func (c *cloud) login(t *testing.T, who Credentials) *session {
	t.Helper()
	login := passwordLogin(who, projectScope(who))
	a := c.authenticate(t, login).want(t, http.StatusCreated)
	s := c.open(t, who.UserName, a)
	if s.ticket = newTicket(login, a); s.ticket == nil {
		t.Fatalf("the login of %s gave a token without an end: %.300s", who.UserName, a.body)
	}
	return s
}

// open makes a session of the answer to a login.
func (c *cloud) open(t *testing.T, name string, a *answer) *session {
	t.Helper()
	s := &session{cloud: c, name: name, token: a.header.Get("X-Subject-Token")}
	if s.token == "" {
		t.Fatalf("the login of %s gave no X-Subject-Token", name)
	}
	s.userID, s.projectID = a.text("token", "user", "id"), a.text("token", "project", "id")
	s.endpoints = map[string]string{"identity": strings.TrimRight(c.AuthURL, "/")}
	catalog, _ := a.at("token", "catalog").([]any)
	for _, entry := range catalog {
		service, _ := entry.(map[string]any)
		kind, _ := service["type"].(string)
		endpoints, _ := service["endpoints"].([]any)
		for _, e := range endpoints {
			endpoint, _ := e.(map[string]any)
			url, _ := endpoint["url"].(string)
			if endpoint["interface"] == "public" && endpoint["region"] == c.Region && kind != "identity" {
				s.endpoints[kind] = strings.TrimRight(url, "/")
			}
		}
	}
	for kind, version := range map[string]string{"image": "/v2", "network": "/v2.0"} {
		if url := s.endpoints[kind]; url != "" {
			s.endpoints[kind] = strings.TrimSuffix(url, version) + version
		}
	}
	return s
}

// authenticate posts a login as it is.
func (c *cloud) authenticate(t *testing.T, login object) *answer {
	t.Helper()
	return c.stranger().post(t, "identity", "/auth/tokens", login)
}

// stranger gives a session of nobody, who knows only Keystone.
func (c *cloud) stranger() *session {
	return &session{cloud: c, name: "nobody", endpoints: map[string]string{"identity": strings.TrimRight(c.AuthURL, "/")}}
}

func passwordLogin(who Credentials, scope object) object {
	login := object{"identity": object{"methods": []string{"password"}, "password": object{"user": object{
		"name": who.UserName, "password": who.Password, "domain": object{"id": "default"},
	}}}}
	if scope != nil {
		login["scope"] = scope
	}
	return object{"auth": login}
}

func projectScope(who Credentials) object {
	return object{"project": object{"name": who.ProjectName, "domain": object{"id": "default"}}}
}
