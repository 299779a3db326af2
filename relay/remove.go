package relay

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
)

// Removal takes a gateway out of an installation again.
type Removal struct {
	// Files are main.cf and master.cf without the generated part, byte for byte as they
	// were but for what was edited since outside of it.
	Files []File
	// Obsolete are the names of the generated files and of what was compiled from them,
	// to be deleted where they exist and are as they were written, as in File.Name
	// (deploy.Options).
	Obsolete []string
	// Left is what of the generated, or beside it, can't be told apart any more, because
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
	Fix  string // how to clean up; never empty
}

// String returns place, reason and text, without Fix.
func (l Left) String() string {
	s := place{l.File, l.Line}.String() + ": " + l.Why
	if l.Text != "" {
		s += ": " + strings.ReplaceAll(l.Text, "\n", " ")
	}
	return s
}

// Remove is the inverse of [Compile]: it needs the gateway's name and the
// configuration directory as it is now, and of the rest what was written
// (Installation.Written).
func Remove(gateway string, in Installation) (Removal, error) {
	var errs Errors
	if !fixed.GatewayName.MatchString(gateway) {
		errs.Add("Gateway.Name", ErrInvalid, "the name that the policy has", "%q", gateway)
		return Removal{}, errs.Err()
	}
	n := newNames(gateway)
	var r Removal
	files := in.configured()
	file := func(name string, edit func(src []byte) ([]byte, error)) {
		src, ok := files[name]
		if !ok {
			errs.Required(name, "read the whole configuration directory")
			return
		}
		out, err := edit(src)
		var l postfix.Errors
		switch {
		case errors.As(err, &l):
			for _, e := range l {
				errs.Wrap(e.Position.String(), e.Err, "")
			}
		case err != nil:
			errs.Wrap(name, err, "")
		default:
			r.Files = append(r.Files, File{Name: "postfix/" + name, Data: out})
		}
	}
	var inUse []use // what stays
	var before []use
	report := func(name string, left []postfix.Leftover, now []byte) {
		lines := map[string]bool{}
		for line := range strings.Lines(string(now)) {
			lines[strings.TrimRight(line, " \t\r\n")] = true
		}
		for _, l := range left {
			fix := "keep the line if it is yours, else delete it"
			if text, _, _ := strings.Cut(l.Text, "\n"); !lines[text] && lines["# "+strings.TrimSpace(text)] {
				fix = "it is a comment now: take the # off if you need the line, else delete it"
			}
			r.Left = append(r.Left, Left{name, l.Line, l.Text, l.Why, fix})
		}
	}
	file("main.cf", func(src []byte) ([]byte, error) {
		m, err := postfix.ParseMain("main.cf", src)
		if err != nil {
			return nil, err
		}
		m.KnowSeals(n.sealsIn(in)...)
		before = append(before, mainUses(m)...)
		left, err := m.Extract(n.owner)
		if err != nil {
			return nil, err
		}
		inUse = append(inUse, mainUses(m)...)
		out := m.Format()
		report("postfix/main.cf", left, out)
		return out, nil
	})
	file("master.cf", func(src []byte) ([]byte, error) {
		m, err := postfix.ParseMaster("master.cf", src)
		if err != nil {
			return nil, err
		}
		m.KnowSeals(n.sealsIn(in)...)
		before = append(before, masterUses(m)...)
		left, err := m.Extract(n.owner)
		if err != nil {
			return nil, err
		}
		inUse = append(inUse, masterUses(m)...)
		out := m.Format()
		report("postfix/master.cf", left, out)
		return out, nil
	})
	if len(errs) > 0 {
		return Removal{}, errs.Err()
	}
	r.tables(gateway, in, before, inUse)
	r.written(gateway, in)
	r.Firewall = n.firewallOff()
	slices.Sort(r.Obsolete)
	slices.SortStableFunc(r.Left, func(a, b Left) int { return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line) })
	return r, nil
}

// tables finds the generated files in Postfix's directory.
func (r *Removal) tables(gateway string, in Installation, before, inUse []use) {
	for name, data := range in.configured() {
		if name == "main.cf" || name == "master.cf" {
			continue
		}
		named := regexp.MustCompile("/" + regexp.QuoteMeta(name) + `(?:[^\w.-]|$)`)
		names := func(u use) bool { return named.MatchString(u.value) }
		file := "postfix/" + name
		if !Managed(gateway, data) {
			// The installation's file that the block names is named elsewhere, too,
			// or is a file of the policy's.
			if resembles(gateway, name, data) || generatedTable(gateway, name) && slices.ContainsFunc(before, names) &&
				!slices.ContainsFunc(inUse, names) {
				r.Left = append(r.Left, unmarked(file))
			}
			continue
		}
		switch {
		case slices.ContainsFunc(inUse, names):
			for _, u := range inUse {
				if l, ok := u.line(in.Files[in.configDir()+"/"+u.file], r.Left); ok && names(u) {
					l.Why = "names " + name + ", which is generated"
					l.Fix = "change the line or delete it"
					r.Left = append(r.Left, l)
				}
			}
			r.Left = append(r.Left, Left{File: file, Why: "the configuration still names it",
				Fix: "change or delete the lines that name it, then delete it"})
		case !intact(data):
			r.Left = append(r.Left, LeftFile(file, data))
		case name == newNames(gateway).seals && slices.ContainsFunc(r.Files, func(f File) bool {
			return newNames(gateway).stillSealed(in, f.Data)
		}):
			r.Left = append(r.Left, Left{File: file, Why: "tells the lines of a damaged block apart, which stays",
				Fix: "mend the block and remove the gateway again, or delete the file with what is left of the block"})
		default:
			r.Obsolete = append(r.Obsolete, file, file+indexSuffix(before, name))
		}
	}
}

// written finds the generated files outside of it. What isn't known is named all the same.
func (r *Removal) written(gateway string, in Installation) {
	names := newNames(gateway).fixedFiles(gateway)
	for _, name := range names {
		if _, ok := in.Written[name]; !ok {
			r.Obsolete = append(r.Obsolete, withCompiled(name)...)
		}
	}
	for name, data := range in.Written {
		isFixed := slices.Contains(names, name)
		switch {
		case Intact(gateway, data):
			if isFixed || isTenantScript(name) {
				r.Obsolete = append(r.Obsolete, withCompiled(name)...)
			}
		case Managed(gateway, data):
			r.Left = append(r.Left, LeftFile(name, data))
		case isFixed || isTenantScript(name) && resembles(gateway, name, data):
			r.Left = append(r.Left, unmarked(name))
		}
	}
}

// unmarked is a generated file that doesn't say so.
func unmarked(name string) Left {
	l := LeftFile(name, nil)
	l.Why = strings.Replace(l.Why, "was edited by hand", "looks like a generated file, but the line is damaged or gone that says so", 1)
	return l
}

// generatedTable reports whether a table's name is one that generated ones have, of this
// gateway or of one beside it.
func generatedTable(gateway, name string) bool {
	g, suffix, ok := strings.Cut(name, "_")
	return ok && (g == gateway || fixed.GatewayName.MatchString(g)) && tableSuffixes[suffix]
}

// tableSuffixes are what follows the gateway's name in the names of tables.
var tableSuffixes = func() map[string]bool {
	n := newNames("g")
	out := map[string]bool{}
	for _, name := range []string{n.scope, n.transport, n.bypass, n.bypassMIME, n.strip, n.leave, n.certName, n.certs, n.clients, n.origin,
		n.spam, n.leaveOriginFile, n.pass, n.hosted, n.postscreen, n.marker, n.fold, n.markers, n.tlsPolicy, n.authDemand, n.back, n.others,
		n.mailboxes, n.aliases, n.seals, n.early, n.certsData, n.behind, n.ehlo} {
		out[strings.TrimPrefix(name, "g_")] = true
	}
	return out
}()

func mainUses(m *postfix.Main) (out []use) {
	for _, p := range m.Params() {
		out = append(out, use{"main.cf", p.Name, p.Value})
	}
	return out
}

func masterUses(m *postfix.Master) (out []use) {
	for _, sv := range m.Services() {
		for _, o := range sv.Options {
			out = append(out, use{"master.cf", o.Name, o.Value})
		}
		for _, a := range sv.Args {
			out = append(out, use{"master.cf", "", a})
		}
	}
	return out
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
