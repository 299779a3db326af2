package relay

import (
	"cmp"
	"strconv"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
	"github.com/oxmailroute/oxmailroute/relay/internal/mailaddr"
)

// newConf is what there is to read for a policy: the installation with the
// generated files over it.
func (c *reader) newConf(p Policy) *mta.Configuration {
	return &mta.Configuration{
		Directory: p.ConfigDir(), Label: postfixDir, Hostname: cmp.Or(c.in.Nodename, mailaddr.AsciiHost(p.Server.Hostname)),
		Generated: c.lists.files, Given: c.given, Warn: func(at, text string) { c.warn(at, "%s", text) },
	}
}

// given is a table that isn't among the installation's files; nil: not known.
func (c *site) given(spec postfix.MapSpec) postfix.Map {
	switch t := c.in.Tables[spec.String()]; {
	case t.Map != nil:
		return c.failures.Watch(spec.String(), t.Map)
	case t.Rows != nil:
		return t.Rows.Index()
	}
	return nil
}

// settings are the parameters as one service sees them, or as main.cf has them
// for all.
type settings struct{ mta.Settings }

func (s settings) service(sv postfix.Service) settings { return settings{s.Of(sv)} }

// get returns the value with every $name expanded; empty where nothing says
// anything. What Postfix would stop on is an error of Compile's
// ([task.checkExpansion]).
func (s settings) get(name string) string { return s.Value(name) }

func (s settings) yes(name string) bool { return s.Yes(name) }

func (c *site) at(name string) string { return c.conf.At(name) }

// label is what traces call a file of stock.
func label(name string) string {
	if name[0] == '/' {
		return name
	}
	return postfixDir + name
}

// place is a file and line, or a parameter and 0.
type place struct {
	file string
	line int
}

// String writes "file:line", or the parameter alone.
func (p place) String() string {
	if p.line == 0 {
		return p.file
	}
	return p.file + ":" + strconv.Itoa(p.line)
}

const (
	postfixDir = "postfix/"
	mainFile   = postfixDir + "main.cf"
	masterFile = postfixDir + "master.cf"
)
