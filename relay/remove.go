package relay

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

// Removal takes a gateway out of an installation again.
type Removal struct {
	// Files are main.cf and master.cf without our part, byte for byte as they
	// were but for what was edited since outside of it.
	Files []File
	// Obsolete are the names of our own files and of what was compiled from them,
	// to be deleted where they exist, as in File.Name.
	Obsolete []string
	// Left is what of ours, or beside ours, can't be told apart any more, because
	// somebody edited it by hand, and what became of it. Files that what is left
	// still names are not among Obsolete.
	Left []Left
	// Firewall takes the packet filter's table out of the kernel, and nothing
	// else: to be run where nftables/NAME.nft exists.
	Firewall Command
}

// Left is a line, or a file, that a removal could not simply take out.
type Left struct {
	File string // as in File.Name
	Line int    // in the file as it was; 0: the whole file
	Text string // the line, with those that continue it
	Why  string
}

// String returns place, reason and text.
func (l Left) String() string {
	s := place{l.File, l.Line}.String() + ": " + l.Why
	if l.Text != "" {
		s += ": " + strings.ReplaceAll(l.Text, "\n", " ")
	}
	return s
}

// Remove is the inverse of [Compile]: it needs the gateway's name and the
// configuration directory as it is now.
func Remove(gateway string, in Installation) (Removal, error) {
	var errs Errors
	if !gatewayName.MatchString(gateway) {
		errs.add("Gateway.Name", ErrInvalid, "the name that the policy has", "%q", gateway)
		return Removal{}, errs.Err()
	}
	n := newNames(gateway)
	var r Removal
	file := func(name string, edit func(src []byte) ([]byte, error)) {
		src, ok := in.Postfix[name]
		if !ok {
			errs.required(name, "read the whole configuration directory")
			return
		}
		out, err := edit(src)
		var l postfix.Errors
		switch {
		case errors.As(err, &l):
			for _, e := range l {
				errs.wrap(place{e.Name, e.Line}.String(), conflictOf(e.Err), "")
			}
		case err != nil:
			errs.wrap(name, err, "")
		default:
			r.Files = append(r.Files, File{Name: "postfix/" + name, Mode: 0o644, Data: out})
		}
	}
	var inUse []use // what stays
	report := func(name string, left []postfix.Leftover) {
		for _, l := range left {
			r.Left = append(r.Left, Left{name, l.Line, l.Text, l.Why})
		}
	}
	file("main.cf", func(src []byte) ([]byte, error) {
		m, err := postfix.ParseMain("main.cf", src)
		if err != nil {
			return nil, err
		}
		left, err := m.Extract(n.owner)
		if err != nil {
			return nil, err
		}
		for _, p := range m.Params() {
			inUse = append(inUse, use{"main.cf", p.Name, p.Value})
		}
		report("postfix/main.cf", left)
		return m.Format(), nil
	})
	file("master.cf", func(src []byte) ([]byte, error) {
		m, err := postfix.ParseMaster("master.cf", src)
		if err != nil {
			return nil, err
		}
		left, err := m.Extract(n.owner)
		if err != nil {
			return nil, err
		}
		for _, sv := range m.Services() {
			for _, o := range sv.Options {
				inUse = append(inUse, use{"master.cf", o.Name, o.Value})
			}
			for _, a := range sv.Args {
				inUse = append(inUse, use{"master.cf", "", a})
			}
		}
		report("postfix/master.cf", left)
		return m.Format(), nil
	})
	if len(errs) > 0 {
		return Removal{}, errs.Err()
	}
	for name, data := range in.Postfix {
		if !bytes.HasPrefix(data, []byte("# "+n.managed())) {
			continue
		}
		named := regexp.MustCompile("/" + regexp.QuoteMeta(name) + `\b`)
		switch {
		case slices.ContainsFunc(inUse, func(u use) bool { return named.MatchString(u.value) }):
			for _, u := range inUse {
				if l, ok := u.line(in.Postfix[u.file], r.Left); ok && named.MatchString(u.value) {
					l.Why = "names " + name + ", which is ours: change it or delete it first"
					r.Left = append(r.Left, l)
				}
			}
			r.Left = append(r.Left, Left{File: "postfix/" + name, Why: "the configuration still names it"})
		case !untouched(data):
			r.Left = append(r.Left, Left{File: "postfix/" + name, Why: "was edited by hand; delete it when nothing in it is needed"})
		default:
			r.Obsolete = append(r.Obsolete, "postfix/"+name, "postfix/"+name+".db")
		}
	}
	r.Obsolete = append(r.Obsolete, "dovecot/99-"+gateway+".conf", "sieve/before/10-"+gateway+".sieve", "sieve/before/10-"+gateway+".svbin", n.firewallName(), n.balancerName())
	for name := range tenantScripts(gateway, in) {
		r.Obsolete = append(r.Obsolete, name, compiled(name))
	}
	r.Firewall = n.firewallOff()
	slices.Sort(r.Obsolete)
	slices.SortStableFunc(r.Left, func(a, b Left) int { return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line) })
	return r, nil
}

// use is a value that stays in a file.
type use struct{ file, name, value string }

// line is where the value is in the file as it was, if it isn't among what is
// left already.
func (u use) line(src []byte, left []Left) (Left, bool) {
	word := strings.Fields(u.value)
	for i, text := range strings.Split(string(src), "\n") {
		if strings.HasPrefix(text, "#") || !strings.Contains(text, u.name) || len(word) > 0 && !strings.Contains(text, word[0]) {
			continue
		}
		l := Left{File: "postfix/" + u.file, Line: i + 1, Text: strings.TrimRight(text, " \t\r")}
		if !slices.ContainsFunc(left, func(have Left) bool {
			return have.File == l.File && have.Line <= l.Line && l.Line <= have.Line+strings.Count(have.Text, "\n")
		}) {
			return l, true
		}
	}
	return Left{}, false
}

// sealed ends the first line of a file that is ours alone in a checksum of the
// rest, "[Jx4uNQ]".
func (n names) sealed(data []byte) []byte {
	head := []byte("# " + n.managed())
	rest, ok := bytes.CutPrefix(data, append(head, '\n'))
	if !ok {
		return data
	}
	return slices.Concat(head, []byte(" ["+checksum(rest)+"]\n"), rest)
}

func checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:])[:6]
}

// untouched reports whether a file of ours is as it was written. Files of old
// have nothing behind the first line's text and are taken for it; where
// something else than the checksum is there, nobody knows.
func untouched(data []byte) bool {
	line, rest, _ := bytes.Cut(data, []byte{'\n'})
	_, seal, _ := bytes.Cut(line, []byte("change the policy instead"))
	return len(seal) == 0 || string(seal) == " ["+checksum(rest)+"]"
}
