package mta

import (
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Settings are the parameters as one service sees them, or as main.cf has them
// for all ([Configuration.Settings]).
type Settings struct {
	postfix.Settings
	line int // of the service in master.cf
}

// Of returns the settings as a service of master.cf sees them.
func (s Settings) Of(sv postfix.Service) Settings { return Settings{s.Settings.Of(sv), sv.Line} }

// Value returns the value with every $name expanded; empty where nothing says
// anything, and where Postfix would stop on it ([postfix.Settings.Unexpandable]).
func (s Settings) Value(name string) string {
	value, err := s.Get(name)
	if err != nil {
		return ""
	}
	return value
}

// Yes reports whether a parameter is "yes".
func (s Settings) Yes(name string) bool { return strings.EqualFold(s.Value(name), "yes") }

// Int is a parameter's number; 0 where it has none.
func (s Settings) Int(name string) int {
	n, _ := strconv.Atoi(s.Value(name))
	return n
}

// Canonical is an address as trivial-rewrite(8) writes it with these settings.
func (s Settings) Canonical(address string) string {
	r := buildRewriting(s)
	return r.canonical(address)
}
