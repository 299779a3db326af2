package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/relay/internal/delivery"
	"github.com/oxmailroute/oxmailroute/relay/internal/fixed"
)

// Every file that is generated as a whole says so in a comment, which ends in a checksum
// over the owner's name and all other lines:
//
//	# oxmailroute-conbool: managed file, change the policy instead [Jx4uNQ]
//
// It is the first line, in Sieve scripts the first behind "require". Whatever is
// emitted has comments of this form: tables of Postfix, fragments of Dovecot,
// Sieve, nftables and HAProxy. main.cf and master.cf have blocks instead, and
// what postmap(1) and sievec(1) make of a file has no mark: it counts as the
// file beside it does.

// managedText follows the owner in the mark.
const managedText = ": managed file, change the policy instead"

// markWithin is how far from the beginning of a file the mark may be.
const markWithin = 4096

// managed is the mark without its checksum, as the text of a comment.
func (n names) managed() string { return n.owner + managedText }

// marked is a file with a mark.
type marked struct {
	owner      string
	line       string // the mark
	head, tail []byte // what is before and behind it, with its newline
}

func cutMark(data []byte) (marked, bool) {
	const comment = "# "
	for at := 0; ; at++ {
		i := bytes.Index(data[at:min(len(data), markWithin)], []byte(comment+ownerPrefix))
		if i < 0 {
			return marked{}, false
		}
		if at += i; at > 0 && data[at-1] != '\n' {
			continue
		}
		end := len(data)
		if i := bytes.IndexByte(data[at:], '\n'); i >= 0 {
			end = at + i
		}
		line := string(data[at:end])
		owner, text, ok := strings.Cut(line[len(comment):], ":")
		if ok && strings.HasPrefix(text, " managed file") && !strings.ContainsAny(owner, " \t") {
			return marked{owner, line, data[:at], data[end:]}, true
		}
	}
}

// text is the mark with its checksum, which is over the owner, too.
func (m marked) text() string {
	h := sha256.New()
	for _, part := range [][]byte{[]byte(m.owner), m.head, m.tail} {
		h.Write(part)
	}
	return m.bare() + " [" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))[:6] + "]"
}

// bare is the mark as files of former releases have it, without a checksum.
func (m marked) bare() string { return "# " + m.owner + managedText }

// sealed gives the mark of a file its checksum.
func sealed(data []byte) []byte {
	m, ok := cutMark(data)
	if !ok {
		return data
	}
	return slices.Concat(m.head, []byte(m.text()), m.tail)
}

// Managed reports whether a file's contents were emitted for the gateway of
// that name, edited since or not; main.cf and master.cf apart.
func Managed(gateway string, data []byte) bool {
	return newNames(gateway).owns(data)
}

func (n names) owns(data []byte) bool {
	m, ok := cutMark(data)
	return ok && m.owner == n.owner
}

// Intact reports whether a file's contents were emitted for the gateway of that
// name and are as they were written, by the checksum in the file. Only such a
// file may be deleted or written over: of another one that is [Managed], lines
// are somebody's, or it is of an earlier version and has no checksum.
func Intact(gateway string, data []byte) bool {
	return Managed(gateway, data) && intact(data)
}

func intact(data []byte) bool {
	m, ok := cutMark(data)
	return ok && m.line == m.text()
}

// Loses reports whether writing new contents over those that are there would
// lose what somebody wrote into a file that was emitted, for whatever gateway. A
// file without a checksum that has nothing but what is written now has nothing of
// somebody's.
func Loses(there, now []byte) bool {
	if intact(there) || bytes.Equal(there, now) {
		return false
	}
	was, ok := cutMark(there)
	if !ok || was.line != was.bare() {
		return ok
	}
	is, ok := cutMark(now)
	return !ok || !bytes.Equal(was.head, is.head) || !bytes.Equal(was.tail, is.tail)
}

// resembles reports whether a file looks like a generated one that lost its mark, and
// not like another gateway's.
func resembles(gateway, name string, data []byte) bool {
	if m, ok := cutMark(data); ok && (m.line == m.text() || strings.Contains(name, strings.TrimPrefix(m.owner, ownerPrefix))) {
		return false
	}
	head := strings.ToLower(string(data[:min(len(data), markWithin)]))
	return strings.Contains(head, newNames(gateway).owner+":") || strings.Contains(head, strings.TrimPrefix(managedText, ": ")) ||
		strings.Contains(head, strings.ToLower(delivery.ReleaseComment)) || strings.Contains(head, strings.ToLower(delivery.SpamComment))
}

// keptName is where the contents of an edited file are kept when the file is
// written anew. No server reads a file of this name: what Dovecot, nftables and
// Pigeonhole include ends in .conf, .nft or .sieve.
func keptName(name string, data []byte) string {
	sum := sha256.Sum256(data)
	return name + ".edited-" + hex.EncodeToString(sum[:4])
}

// there is a file of the installation by its name among the generated ones.
func (in Installation) there(name string) ([]byte, bool) {
	if base, ok := strings.CutPrefix(name, "postfix/"); ok {
		data, ok := in.Files[in.configDir()+"/"+base]
		return data, ok
	}
	data, ok := in.Written[name]
	return data, ok
}

// writtenDirs are where files go, Postfix's apart.
var writtenDirs = []string{"dovecot", "haproxy", "nftables", "sieve/before", "sieve/tenants"}

// ReadWritten reads what an earlier run wrote into an output directory, for
// Installation.Written, and what stands beside it there. A directory that isn't
// there has nothing.
func ReadWritten(dir fs.FS) (map[string][]byte, error) {
	if dir == nil {
		return nil, fmt.Errorf("ReadWritten: dir: %w", ErrRequired)
	}
	out := map[string][]byte{}
	for _, d := range writtenDirs {
		entries, err := fs.ReadDir(dir, d)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			name := path.Join(d, e.Name())
			info, err := fs.Stat(dir, name)
			if err != nil || !info.Mode().IsRegular() || path.Ext(name) == ".svbin" {
				continue // a link that leads nowhere, a directory, or compiled
			}
			if info.Size() > maxInstallation {
				return nil, fmt.Errorf("%s: %d bytes are more than a configuration file has", name, info.Size())
			}
			if out[name], err = fs.ReadFile(dir, name); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// LeftFile is a file of the gateway's, or beside it, that stays: why, and what to
// do about it. name is as in File.Name.
func LeftFile(name string, data []byte) Left {
	why := "was edited by hand"
	switch m, _ := cutMark(data); {
	case strings.Contains(name, ".edited-"):
		why = "is what a generated file was that somebody had edited by hand, kept when it was written anew"
	case m.line == m.bare():
		why = "has no checksum, so that nobody knows whether it was edited by hand"
	}
	if reader := readerOf(name); reader != "" {
		why += "; " + reader
	}
	return Left{File: name, Why: why, Fix: "compare it with what the policy emits, keep elsewhere what you need of it, then delete it"}
}

// readerOf says who still reads a file that stays.
func readerOf(name string) string {
	switch dir, ext := path.Dir(name), path.Ext(name); {
	case dir == "dovecot" && ext == ".conf":
		return "Dovecot reads it as long as it lies in conf.d"
	case dir == "nftables" && ext == ".nft":
		return "nft loads it as long as it is included"
	case dir == "haproxy" && ext == ".cfg":
		return "HAProxy reads it as long as it is named with -f"
	case strings.HasPrefix(name, fixed.TenantScriptDir) && ext == ".sieve":
		return "it runs as long as Dovecot's sieve_before names the directory"
	}
	return ""
}

// collectObsolete finds the files of an earlier run that this one doesn't have.
// What was edited by hand is not among them.
func (c *evaluator) collectObsolete() {
	gateway := c.policy.Gateway.Name
	stays := func(name string, data []byte) {
		l := LeftFile(name, data)
		c.warn(strings.TrimPrefix(name, "postfix/"), "%s; it isn't emitted any more and stays: %s", l.Why, l.Fix)
	}
	for _, base := range slices.Sorted(maps.Keys(c.in.configured())) {
		name, data := "postfix/"+base, c.in.configured()[base]
		if _, kept := c.files[name]; kept || !Managed(gateway, data) {
			continue
		}
		if by := c.namedBy(base); by != "" {
			c.warn(base, "isn't emitted any more, but %s names it: it stays as it is; take it out there, or put what you need of it into the policy",
				by)
		} else if intact(data) {
			c.cfg.removed = append(c.cfg.removed, name)
		} else {
			stays(name, data)
		}
	}
	names := c.names.fixedFiles(gateway)
	for _, name := range names {
		_, kept := c.files[name]
		if data, ok := c.in.Written[name]; !kept && (!ok || intact(data)) {
			c.cfg.removed = append(c.cfg.removed, withCompiled(name)...)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.in.Written)) {
		data := c.in.Written[name]
		_, kept := c.files[name]
		switch {
		case kept:
		case Intact(gateway, data):
			if isTenantScript(name) {
				c.cfg.removed = append(c.cfg.removed, withCompiled(name)...)
			}
		case Managed(gateway, data):
			stays(name, data)
		case slices.Contains(names, name) || isTenantScript(name) && resembles(gateway, name, data):
			c.warn(name, "looks like a generated file and doesn't say that it is; it stays: delete it where you don't need it")
		}
	}
	slices.Sort(c.cfg.removed)
}

// namedBy is the file of the finished configuration of which a setting or a row
// still names one of the configuration directory; empty: none.
func (c *evaluator) namedBy(base string) string {
	path := []byte(c.path(base))
	names := func(data []byte) bool {
		for line := range bytes.Lines(data) {
			if bytes.HasPrefix(bytes.TrimLeft(line, " \t"), []byte("#")) {
				continue
			}
			for rest := line; ; {
				i := bytes.Index(rest, path)
				if i < 0 {
					break
				}
				if rest = rest[i+len(path):]; len(rest) == 0 || bytes.IndexByte([]byte(" \t\r\n,;}]\"'"), rest[0]) >= 0 {
					return true
				}
			}
		}
		return false
	}
	for _, name := range []string{mainFile, masterFile} {
		if names(c.files[name]) {
			return strings.TrimPrefix(name, "postfix/")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.stock)) {
		data := c.stock[name]
		if _, ours := c.files[label(name)]; ours || name == base || Managed(c.policy.Gateway.Name, data) {
			continue
		}
		if bytes.Contains(data, path) && names(data) {
			return name
		}
	}
	return ""
}

// fixedFiles are the names of files outside of Postfix's directory that hang on
// the gateway's name alone.
func (n names) fixedFiles(gateway string) []string {
	return []string{"dovecot/99-" + gateway + ".conf", "sieve/before/10-" + gateway + ".sieve", n.firewallName(), n.balancerName()}
}

func isTenantScript(name string) bool {
	return strings.HasPrefix(name, fixed.TenantScriptDir) && strings.HasSuffix(name, ".sieve")
}

// withCompiled adds what sievec(1) makes of a script.
func withCompiled(name string) []string {
	if s, ok := strings.CutSuffix(name, ".sieve"); ok {
		return []string{name, s + ".svbin"}
	}
	return []string{name}
}
