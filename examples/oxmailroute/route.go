package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/interp"
)

// stringList is a flag that may be given more than once.
type stringList []string

func (l *stringList) String() string     { return strings.Join(*l, " ") }
func (l *stringList) Set(s string) error { *l = append(*l, s); return nil }

// answer is what route prints for one recipient.
type answer struct {
	To       string    `json:"to"`
	Outcomes []outcome `json:"outcomes"`
	Error    string    `json:"error,omitempty"`
	// Assumptions are what only another program knows, and what it is taken for.
	Assumptions []assumption `json:"assumptions,omitempty"`
}

type assumption struct {
	Setting string `json:"setting"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Asked   string `json:"asked,omitempty"`
	Assumed string `json:"assumed"`
}

type outcome struct {
	Action relay.Action `json:"action"`
	Target string       `json:"target"`
	To     string       `json:"to"`
	Text   string       `json:"text,omitempty"`
	Rule   string       `json:"rule,omitempty"`
	Edits  []edit       `json:"edits,omitempty"`
	Trace  relay.Trace  `json:"trace"`
}

type edit struct {
	Edit  string `json:"edit"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// maxMessage is more than any mail server takes.
const maxMessage = 1 << 30

func route(args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	fs := flags("route", "MESSAGE (- for standard input)", stderr)
	policyFile := fs.String("policy", "", "policy `file` (JSON)")
	base := fs.String("base", "", "the existing Postfix configuration `directory`")
	role := fs.String("origin", "", "where the message enters: gateway, submission, internal, reentry, internet or pickup;\n"+
		"with -dir a service of master.cf or pickup")
	any := anyServer{}
	any.flags(fs)
	service := fs.String("service", "", "the listener by its `name` in the policy, where several have the role")
	client := fs.String("client", "", "client `address` (default: an ordinary client of the origin)")
	tls := fs.String("tls", "", "none, tls, name=NAME, unverified=NAME or fingerprint=HEX (default: as an ordinary client)")
	auth := fs.Bool("auth", true, "whether a user has logged in; for -origin submission")
	peer := fs.String("smarthost", "", "what the smart host shows: unverified, plaintext, nologin or down (default: all is well)")
	var from, doveconf optional
	fs.Var(&from, "from", "envelope sender `address`; empty for the null sender")
	fs.Var(&doveconf, "doveconf", "`file` with the output of doveconf -n")
	vouched := vouches(fs)
	var to, scripts stringList
	fs.Var(&to, "to", "envelope recipient `address` (may be given more than once)")
	fs.Var(&scripts, "script", "`MAILBOX=FILE`, a mailbox's own Sieve script (may be given more than once)")
	if err := parseFlags(fs, args, 1, 1); err != nil {
		return err
	}
	if len(to) == 0 || !from.set || *role == "" {
		return errors.New("-origin, -from and -to are needed (-from= for the null sender)")
	}
	if any.dir != "" {
		for _, name := range []string{"policy", "base", "service", "smarthost", "script", "vouch", "auth"} {
			if given(fs, name) {
				return fmt.Errorf("-%s goes with -policy, not with -dir", name)
			}
		}
		any.origin, any.client, any.tls, any.doveconf = *role, *client, *tls, doveconf
		raw, err := readMessage(fs.Arg(0), stdin)
		if err != nil {
			return err
		}
		return any.route(from.value, to, raw, stdout, stderr)
	}
	policy, err := readPolicy(*policyFile)
	if err != nil {
		return err
	}
	in, err := readBase(*base, policy, *vouched)
	if err != nil {
		return err
	}
	if doveconf.set {
		if in.Doveconf, err = os.ReadFile(doveconf.value); err != nil {
			return err
		}
	}
	if in.Scripts, err = readScripts(scripts); err != nil {
		return err
	}
	c, err := relay.Compile(policy, in)
	if err != nil {
		return err
	}
	m := relay.Message{From: from.value, SmartHost: relay.Peer(*peer)}
	if m.Origin, err = origin(c, *role, *service, *client, *tls, *auth); err != nil {
		return err
	}
	if !slices.Contains([]relay.Peer{relay.PeerVerified, relay.PeerUnverified, relay.PeerPlaintext, relay.PeerNoLogin, relay.PeerDown},
		m.SmartHost) {
		return fmt.Errorf("-smarthost %q: unverified, plaintext, nologin or down", *peer)
	}
	if m.Raw, err = readMessage(fs.Arg(0), stdin); err != nil {
		return err
	}
	return answerAll(to, stdout, stderr, func(recipient string) relay.Decision {
		m.To = recipient
		return c.Route(context.Background(), &m)
	})
}

// answerAll prints what is decided for each recipient.
func answerAll(to []string, stdout, stderr io.Writer, decide func(to string) relay.Decision) error {
	var answers []answer
	for _, recipient := range to {
		d := decide(recipient)
		a := answer{To: d.To}
		if d.Err != nil {
			a.Error = d.Err.Error()
		}
		for _, o := range d.Outcomes {
			out := outcome{Action: o.Action, Target: o.Target.String(), To: o.To, Text: o.Text, Rule: o.Rule, Trace: o.Trace}
			for _, e := range o.Edits {
				kind := "added"
				if e.Removed {
					kind = "removed"
				}
				out.Edits = append(out.Edits, edit{kind, e.Name, e.Value})
			}
			a.Outcomes = append(a.Outcomes, out)
		}
		for _, u := range d.Assumptions {
			a.Assumptions = append(a.Assumptions, assumption(u))
			fmt.Fprintf(stderr, "%s hangs on %s\n", d.To, u)
		}
		answers = append(answers, a)
	}
	e := json.NewEncoder(stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(answers)
}

// optional is a string flag that knows whether it was given.
type optional struct {
	value string
	set   bool
}

func (o *optional) String() string     { return o.value }
func (o *optional) Set(s string) error { o.value, o.set = s, true; return nil }

func origin(c *relay.Config, role, service, client, tls string, auth bool) (relay.Origin, error) {
	r := relay.Role(role)
	switch r {
	case relay.RoleGateway, relay.RoleSubmission, relay.RoleInternal, relay.RoleReEntry, relay.FromInternet, relay.FromPickup:
	default:
		return relay.Origin{}, fmt.Errorf("-origin %q: gateway, submission, internal, reentry, internet or pickup", role)
	}
	o := c.Origin(r)
	if service != "" {
		at, there := c.OriginAt(service)
		switch {
		case !there:
			return o, fmt.Errorf("-service: the policy has no listener %q", service)
		case at.Role == r:
			o = at
		default:
			o.Service = service
		}
	}
	o.Authenticated = o.Authenticated && auth
	if client != "" {
		a, err := netip.ParseAddr(client)
		if err != nil {
			return o, fmt.Errorf("-client: %w", err)
		}
		o.Client = a
	}
	if tls != "" {
		if err := o.SetTLS(tls); err != nil {
			return o, fmt.Errorf("-tls: %w", err)
		}
	}
	return o, nil
}

// readScripts compiles the mailboxes' scripts.
func readScripts(specs []string) (relay.ScriptMap, error) {
	out := relay.ScriptMap{}
	for _, spec := range specs {
		mailbox, file, ok := strings.Cut(spec, "=")
		if !ok || mailbox == "" || file == "" {
			return nil, fmt.Errorf("-script %q: write MAILBOX=FILE", spec)
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s, err := sieve.Parse(file, src)
		if err != nil {
			return nil, err
		}
		if out[mailbox], err = interp.Compile(s, interp.Options{Name: file, Trace: true, AutoCreate: true}); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func readMessage(name string, stdin io.Reader) ([]byte, error) {
	r := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxMessage+1))
	if err == nil && len(data) > maxMessage {
		err = fmt.Errorf("%s: more than %d bytes", name, maxMessage)
	}
	return data, err
}
