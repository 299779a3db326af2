package mta_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/internal/maillab"
	"github.com/oxmailroute/oxmailroute/postfix/mta"
)

// hosts are the addresses of the world's hosts, and exchangers those where mail
// for a domain goes.
var hosts = map[string]string{"hopa.test": "127.0.4.11", "hopb.test": "127.0.4.12", "lm.test": "127.0.4.20",
	"client.inside.test": "127.0.1.20", "stranger.test": "127.0.66.6"}

// sink is where a next hop leads: the address of a sink, or why not.
func sink(target string) string {
	rest := strings.TrimPrefix(target, "inet:")
	port := "25"
	host := rest
	if strings.HasPrefix(rest, "[") {
		host, rest, _ = strings.Cut(rest[1:], "]")
		if p, ok := strings.CutPrefix(rest, ":"); ok {
			port = p
		}
		if a, ok := hosts[host]; ok {
			host = a
		}
		if host == "127.0.4.20" {
			port = "24"
		}
		if ip, err := netip.ParseAddr(host); err == nil && !ip.IsUnspecified() {
			return host + ":" + port
		}
		return host
	}
	switch host = strings.ToLower(host); {
	case host == "remote1.test":
		return "127.0.3.1:25"
	case host == "remote2.test":
		return "127.0.3.2:25"
	case hosts[host] != "":
		return hosts[host] + ":25"
	case strings.HasSuffix(host, ".test") && !strings.HasPrefix(host, "mx."):
		return "127.0.3.254:25"
	}
	return host
}

var sinkForm = regexp.MustCompile(`^127\.0\.[34]\.\d+:\d+$`)

// wantedEnd is an end as the engine says it.
func wantedEnd(o mta.Outcome, q *mta.Message) string {
	status, _, _ := strings.Cut(o.Text, " ")
	if !enhanced.MatchString(status) {
		status = ""
	}
	switch o.Action {
	case mta.ActionRelay, mta.ActionMX:
		if p, ok := o.Target.(mta.TargetService); ok {
			return fmt.Sprintf("program %s <%s> <%s>", p.Transport, o.MailFrom, o.RcptTo)
		}
		if c, ok := o.Target.(mta.TargetCommand); ok {
			return "command " + string(c)
		}
		to := sink(o.Target.String())
		if !sinkForm.MatchString(to) {
			if strings.HasPrefix(to, "127.") {
				return "defer" // nobody listens there
			}
			return "no host " + to
		}
		return strings.ToLower(fmt.Sprintf("host %s <%s> <%s>", to, o.MailFrom, o.RcptTo)) + wantedHeader(q.Raw, o.Edits)
	case mta.ActionMailbox:
		if f, ok := o.Target.(mta.TargetFile); ok {
			return "file " + string(f)
		}
		return strings.ToLower(fmt.Sprintf("mailbox <%s>", o.RcptTo))
	case mta.ActionReject:
		if q.Origin.Service == mta.Pickup {
			return "reject" // sendmail(1) says so by its exit status
		}
		return strings.TrimSpace("reject " + o.Target.String() + " " + status)
	case mta.ActionBounce:
		return strings.TrimSpace("bounce " + status)
	}
	return string(o.Action)
}

var enhanced = regexp.MustCompile(`^[245]\.\d+\.\d+$`)

// seen is what the servers did.
func (h *heard) seen(m drawnMessage, o maillab.Outcome) (ends []string) {
	h.notes = nil
	noHost := func(p maillab.Place) bool {
		_, host, ok := strings.Cut(p.Text, "Host or domain name not found. Name service error for name=")
		if ok {
			host, _, _ = strings.Cut(host, " ")
			ends = append(ends, "no host "+strings.ToLower(host))
		}
		return ok
	}
	add := func(p maillab.Place) {
		switch p.Kind {
		case maillab.KindRelay:
			to := p.Sink
			if to == "" {
				to = "?" + p.Name + " " + p.Text
			}
			rcpt := p.Address
			if len(p.Recipients) == 1 {
				rcpt = p.Recipients[0]
			}
			ends = append(ends, strings.ToLower(fmt.Sprintf("host %s <%s> <%s>", to, p.Sender, rcpt))+seenHeader(m, p))
		case maillab.KindMailbox:
			if name, ok := strings.CutPrefix(p.Text, "delivered via "); ok {
				name, _, _ = strings.Cut(name, " ")
				ends = append(ends, fmt.Sprintf("program %s <%s> <%s>", name, p.Sender, p.Address))
				return
			}
			if file, ok := strings.CutPrefix(p.Text, "delivered to file: "); ok {
				ends = append(ends, "file "+file)
				return
			}
			if file, ok := strings.CutPrefix(p.Text, "delivered to command: "); ok && !strings.HasSuffix(file, "#box") {
				ends = append(ends, "command "+file)
				return
			}
			if strings.Contains(p.Text, "discarded") {
				ends = append(ends, "discard")
				return
			}
			ends = append(ends, strings.ToLower(fmt.Sprintf("mailbox <%s>", p.Address)))
			h.notes = append(h.notes, fmt.Sprintf("%s: %s", p.Address, p.Text))
		case maillab.KindRejected:
			if m.Origin == "sendmail" {
				ends = append(ends, "reject")
				return
			}
			ends = append(ends, strings.TrimSpace(fmt.Sprintf("reject %d %s", p.Code, p.Enhanced)))
		case maillab.KindBounced:
			if noHost(p) {
				return
			}
			ends = append(ends, "bounce "+p.Enhanced)
		case maillab.KindLost:
			ends = append(ends, "lost")
		case maillab.KindDeferred, maillab.KindHeld:
			if noHost(p) {
				return
			}
			ends = append(ends, "defer")
			h.notes = append(h.notes, fmt.Sprintf("%s: %s %s %s", p.Address, p.Kind, p.Enhanced, p.Text))
		case maillab.KindDiscarded:
			ends = append(ends, "discard")
		default:
			ends = append(ends, strings.TrimSpace(string(p.Kind)+" "+p.Text))
		}
	}
	for _, places := range o.Recipients {
		for _, p := range places {
			add(p)
		}
	}
	for _, p := range o.Redirected {
		add(p)
	}
	if slices.ContainsFunc(ends, func(e string) bool { return e != "lost" }) { // a recipient that the log has by another name
		ends = slices.DeleteFunc(ends, func(e string) bool { return e == "lost" })
	}
	if len(ends) > 0 && ends[0] == "lost" && m.Origin == "sendmail" {
		for i := range ends {
			ends[i] = "defer"
		} // it stays in maildrop
	}
	slices.Sort(ends)
	if slices.Contains(ends, "bounce 5.4.0") { // the log of a loop says it more than once
		ends = slices.Compact(ends)
	}
	return ends
}

type headerField struct{ name, value string }

// unlisted fields are not compared: what says by which way and when.
var uncompared = []string{"received", "delivered-to", "return-path", "x-original-to"}

func renderHeader(l []headerField, skip ...string) string {
	var out []string
	for _, f := range l {
		if slices.Contains(uncompared, f.name) || slices.Contains(skip, f.name) {
			continue
		}
		out = append(out, "\n    "+f.name+": "+strings.Join(strings.Fields(f.value), " "))
	}
	slices.Sort(out)
	return strings.Join(out, "")
}

func fieldsOf(header []byte) (list []headerField) {
	section, _ := headers.Scan(nil, header, headers.HeaderChecks)
	for _, f := range section {
		list = append(list, headerField{strings.ToLower(string(f.Name)), strings.TrimSpace(string(f.Body))})
	}
	return list
}

// added are the fields that cleanup(8) makes with what the clock says, where the
// message doesn't have them.
func added(raw []byte) (skip []string) {
	for _, name := range []string{"date", "message-id", "resent-date", "resent-message-id"} {
		if !slices.ContainsFunc(fieldsOf(raw), func(f headerField) bool { return f.name == name }) {
			skip = append(skip, name)
		}
	}
	return skip
}

func wantedHeader(raw []byte, edits []mta.Edit) string {
	list := fieldsOf(raw)
	for _, e := range edits {
		f := headerField{strings.ToLower(e.Name), strings.TrimSpace(e.Value)}
		if !e.Removed {
			list = append(list, f)
		} else if i := slices.Index(list, f); i >= 0 {
			list = slices.Delete(list, i, i+1)
		} else {
			list = append(list, headerField{"no such field to remove", f.name + ": " + f.value})
		}
	}
	return renderHeader(list, added(raw)...)
}

// ownID is what cleanup(8) makes in the place of one that is missing, or was removed.
var ownID = regexp.MustCompile(`^<\d{14}\.\w+@mx\.own\.test>$`)

var fullName = regexp.MustCompile(`^user\d+ <(.*)>$`)

func seenHeader(m drawnMessage, p maillab.Place) string {
	list := fieldsOf(append(bytes.Clone(p.Header), '\n'))
	list = slices.DeleteFunc(list, func(f headerField) bool { return strings.HasSuffix(f.name, "message-id") && ownID.MatchString(f.value) })
	for i, f := range list {
		list[i].value = fullName.ReplaceAllString(f.value, "$1")
	}
	return renderHeader(list, added([]byte(strings.Join(m.Raw, "\n")+"\n"))...)
}
