package database

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/karbor/karbor"
)

// connectTimeout bounds the making of one connection.
const connectTimeout = 10 * time.Second

// The kinds of databases, as the scheme of a URL names them.
const (
	SQLite     = "sqlite"
	PostgreSQL = "postgresql"
	MySQL      = "mysql"
)

// location says where a database is.
type location struct {
	scheme string
	// path is that of SQLite's file.
	path string
	// The others are a server's.
	host, socket, user, name string
	port                     int
}

// locate reads the URL of a database, or the path of an SQLite file. Its errors never
// repeat the text, which may hold a password.
func locate(text string) (location, error) {
	if !strings.Contains(text, "://") {
		if text == "" {
			return location{}, errors.New("no database was named")
		}
		return location{scheme: SQLite, path: text}, nil
	}
	// The parser's own errors would show the whole text, and so a password in it.
	u, err := url.Parse(text)
	if err != nil {
		return location{}, errors.New("it is not a URL")
	}
	if _, has := u.User.Password(); has {
		return location{}, errors.New("it holds a password: put that into a file of its own")
	}
	l := location{scheme: u.Scheme, user: u.User.Username(), host: u.Hostname()}
	switch u.Scheme {
	case SQLite:
		if u.Host != "" || u.User != nil || u.RawQuery != "" || len(u.Path) < 2 {
			return location{}, errors.New("an SQLite URL is sqlite:///absolute/path")
		}
		l.path = u.Path
		return l, nil
	case PostgreSQL, MySQL:
		return l, l.server(u)
	case "mariadb":
		l.scheme = MySQL
		return l, l.server(u)
	}
	return location{}, fmt.Errorf("the scheme %q is none of sqlite, postgresql, mysql and mariadb", u.Scheme)
}

// server reads what is only in the URL of a server.
func (l *location) server(u *url.URL) error {
	l.name = strings.TrimPrefix(u.Path, "/")
	if l.name == "" || strings.Contains(l.name, "/") {
		return errors.New("it must name one database: " + l.scheme + "://user@host/database")
	}
	if l.user == "" {
		return errors.New("it must name a user: " + l.scheme + "://user@host/database")
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("the port %q is not a number from 1 to 65535", p)
		}
		l.port = int(n)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("what is behind the question mark can't be read")
	}
	l.socket = query.Get("socket")
	query.Del("socket")
	for key := range query {
		return fmt.Errorf("the parameter %q is unknown; the only one is socket", key)
	}
	if (l.host == "") == (l.socket == "") {
		return errors.New("it must name either a host or, with ?socket=/path, a socket")
	}
	return nil
}

func (l location) portOr(port int) int {
	if l.port != 0 {
		return l.port
	}
	return port
}

// String names the database without its user.
func (l location) String() string {
	if l.scheme == SQLite {
		return l.path
	}
	where := l.host
	if l.port != 0 {
		where = net.JoinHostPort(l.host, strconv.Itoa(l.port))
	}
	if l.socket != "" {
		where = l.socket
	}
	return l.scheme + " database " + l.name + " at " + where
}

// Server is what the connections to a database server need. SQLite needs none of
// it.
type Server struct {
	Password karbor.Secret
	// TLS is verify (the certificate is checked), unverified (encrypted, to
	// whomever) or off. "" is off for this machine, and verify for any other.
	TLS string
	// CA holds the certificates to trust, as PEM; none stands for the system's.
	CA []byte
	// MaxConnections bounds the connections of this process, half of which read
	// only; 0 stands for DefaultMaxConnections.
	MaxConnections int
}

// DefaultMaxConnections is the number of connections of a process that is told no
// other.
const DefaultMaxConnections = 20

// tls gives the set-up of an encrypted connection, or nil for none.
func (s Server) tls(l location) (*tls.Config, error) {
	c := &tls.Config{ServerName: l.host, MinVersion: tls.VersionTLS12}
	switch s.TLS {
	case "off":
		return nil, nil
	case "unverified":
		c.InsecureSkipVerify = true
		return c, nil
	case "":
		if ip := net.ParseIP(l.host); l.socket != "" || l.host == "localhost" || ip != nil && ip.IsLoopback() {
			return nil, nil
		}
	case "verify":
	default:
		return nil, fmt.Errorf("tls is %q, which is none of verify, unverified and off", s.TLS)
	}
	if len(s.CA) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(s.CA) {
			return nil, errors.New("the file of trusted certificates holds none")
		}
	}
	return c, nil
}
