package interp

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"iter"
	"strings"

	"github.com/oxmailroute/oxmailroute/headers"
	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
)

// newID makes a Message-ID of what the message is about.
func (r *run) newID(about string) string {
	h := fnv.New64a()
	fmt.Fprint(h, about, r.in.From, r.in.To, messageID(r.arrived()))
	return fmt.Sprintf("<sieve-%d-%x@%s>", r.now().UnixNano(), h.Sum64(), r.host())
}

// host is the name that the server gives itself.
func (r *run) host() string {
	if host := r.in.Environment["host"]; host != "" {
		return host
	}
	return "localhost"
}

// implementation is what the server calls itself in X-Sieve; of its release it
// names the commit too.
func (r *run) implementation() string {
	name, version := "Pigeonhole Sieve", "0.5.19 (4eae2f79)"
	if r.program.pigeonhole24 {
		version = "2.4.1-4 (0a86619f)"
	}
	if s := r.in.Environment["name"]; s != "" {
		name = s
	}
	if s := r.in.Environment["version"]; s != "" {
		version = s
	}
	return name + " " + version
}

func (r *run) date() string { return r.now().Format("Mon, 02 Jan 2006 15:04:05 -0700") }

// arrived is the header as the message came: what the server sends doesn't heed
// the changes of a script.
func (r *run) arrived() headers.Section {
	if r.edits > 0 {
		return r.original
	}
	return r.header()
}

// arrivedField returns the first field of a name in the header as it came.
func (r *run) arrivedField(name string) (headers.Field, bool) {
	name = ascii.Lower(name)
	for _, f := range r.arrived() {
		if equalFold(f.Name, name) {
			return f, true
		}
	}
	return headers.Field{}, false
}

// fieldsNamed are the fields of a name, which is in lower case.
func (r *run) fieldsNamed(name string) iter.Seq[headers.Field] {
	return func(yield func(headers.Field) bool) {
		for _, f := range r.header() {
			if equalFold(f.Name, name) && !yield(f) {
				return
			}
		}
	}
}

// rawFirst returns the body of the first field of a name as it came.
func (r *run) rawFirst(name string) (string, bool) {
	f, ok := r.arrivedField(name)
	return unread(f), ok
}

// unread is the body of a field as it came, but with LF for CRLF and without
// the line's end.
func unread(f headers.Field) string {
	b := bytes.TrimLeft(f.Body, " \t")
	b = bytes.TrimSuffix(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")), []byte("\n"))
	return strings.ReplaceAll(string(b), "\x00", "\ufffd")
}

// decodedFirst returns the decoded body of the first field of a name; white
// space at its end stays.
func (r *run) decodedFirst(name string) (string, bool) {
	f, ok := r.arrivedField(name)
	if !ok {
		return "", false
	}
	if r.spend((costDecode + 2*costAlloc) * len(f.Body)); r.failed != nil {
		return "", true
	}
	v := string(headers.Value(nil, f))
	raw := unread(f)
	if tail := raw[len(strings.TrimRight(raw, " \t")):]; len(tail) < len(raw) {
		v += tail
	}
	return v, true
}
