// Package service runs the programs under show: karbord as a process that the
// demo starts, kills and starts again, and karbor as a tenant would.
package service

import (
	"fmt"
	"os"
	"strings"
)

// ReadOpenRC reads the settings of an openrc file: its lines of the form
// "export NAME=VALUE NAME=VALUE", with the shell's quotes.
func ReadOpenRC(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the openrc: %w", err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "export ")
		if !ok {
			continue
		}
		for _, word := range shellWords(rest) {
			if name, value, ok := strings.Cut(word, "="); ok {
				env[name] = value
			}
		}
	}
	if env["OS_AUTH_URL"] == "" {
		return nil, fmt.Errorf("the openrc %s has no OS_AUTH_URL", path)
	}
	return env, nil
}

// shellWords splits a line as a shell does, without expansions.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	started, escaped := false, false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, started = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, started = c, true
		case c == ' ' || c == '\t':
			if started {
				words = append(words, word.String())
			}
			word.Reset()
			started = false
		default:
			word.WriteRune(c)
			started = true
		}
	}
	if started {
		words = append(words, word.String())
	}
	return words
}
