//go:build unix

package interp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

const oddRequire = `require ["copy", "editheader", "encoded-character", "environment", "fileinto", "foreverypart", "imap4flags", "mailbox", "mime",
	"regex", "relational", "variables", "vnd.dovecot.environment"];
`

// odd is a message with a control character and a NUL in encoded words, and
// with the fields that editheader protects.
const odd = "From: sender@example.net\nTo: user@example.org\nSubject: =?utf-8?q?a=07b?=\nX-Nul: =?utf-8?q?a=00b?=\n" +
	"Received: by a\nAuto-Submitted: no\nX-Sieve-Redirected-From: other@example.org\n\nbody\n"

// check is a command that tells by a copy whether a test holds.
func check(mailbox, test string) string {
	return fmt.Sprintf("if %s { fileinto :copy :create %q; }\n", test, mailbox)
}

// environmentChecks ask for items of the environment, by test and by variable.
func environmentChecks(test bool) []string {
	var out []string
	for i, name := range []string{"location", "name", "phase", "version", "host", "domain", "username", "default-mailbox",
		"vnd.dovecot.default-mailbox",
		"vnd.dovecot.default_mailbox", "vnd.dovecot.username", "nosuch", "vnd.dovecot.config.x", "vnd.dovecot.config.a-b",
		"vnd.dovecot.config.none",
		"config.x", "vnd.dovecot.host"} {
		if test {
			out = append(out, check(fmt.Sprint("there", i), fmt.Sprintf("environment :matches %q \"*\"", name)))
			continue
		}
		variable := "${env." + strings.ReplaceAll(name, "-", "_") + "}"
		out = append(out, check(fmt.Sprint("full", i), fmt.Sprintf("not string %q \"\"", variable)))
		if variable == "${env."+name+"}" {
			out = append(out, check(fmt.Sprint("same", i), fmt.Sprintf("environment %q %q", name, variable)))
		}
		if name == "host" || name == "vnd.dovecot.username" || strings.HasPrefix(name, "vnd.dovecot.config.") ||
			strings.HasPrefix(name, "vnd.dovecot.d") {
			v := strings.ToUpper(variable[len("${env."):])
			out = append(out, check(fmt.Sprint("upper", i), fmt.Sprintf("not string %q \"\"", "${env."+v)))
		}
	}
	return out
}

// oddities are what is decided while a script runs.
var oddities = []struct{ name, src string }{
	{"spaces between a variable's flags",
		`set "a" "x  y z "; set "b" " x y  x "; set "c" "x"; set "d" "x  y"; set "e" " "; set "f" "x y  x"; set "g" "x  x"; set "h" "y  z  x";
		removeflag "a" ["", "${none}"]; removeflag "b" "X"; removeflag "c" "x"; addflag "d" "z Y"; addflag "e" "x"; removeflag "f" ["y", "q"]; removeflag "g" "x"; removeflag "h" ["x", "z", "q Y"];` +
			check("a", `string "[${a}]" "[x  y z ]"`) +
			`fileinto :copy :create "a[${a}]"; fileinto :copy :create "b[${b}]"; fileinto :copy :create "c[${c}]"; ` +
			`fileinto :copy :create "d[${d}]"; fileinto :copy :create "e[${e}]"; fileinto :copy :create "f[${f}]"; fileinto :copy :create "g[${g}]"; fileinto :copy :create "h[${h}]";`},
	{"a broken expression", `set "r" "["; if header :regex "to" "${r}" { keep; } else { discard; }`},
	{"broken expressions beside others", `set "r" "[";` + check("a", `header :regex "to" ["${r}", "user"]`) +
		check("b", `header :regex "to" ["nobody", "${r}"]`) + check("c", `not header :regex "to" "${r}"`) +
		check("d", `string :regex "x" ["${r}", "x"]`)},
	{"kinds of broken expressions",
		`set "a" "(us"; set "b" "*a"; set "c" "a{"; set "d" "[[:foo:]]"; set "e" "[z-a]"; set "f" "\\"; set "g" "\\1"; set "h" "a{2,1}"; set "i" "^*";` +
			check("a", `header :regex "to" "${a}"`) + check("b", `header :regex "to" "${b}"`) + check("c", `header :regex "to" "${c}"`) +
			check("d", `header :regex "to" "${d}"`) + check("e", `header :regex "to" "${e}"`) + check("f", `header :regex "to" "${f}"`) +
			check("g", `header :regex "to" "${g}"`) + check("h", `header :regex "to" "${h}"`) + check("i", `header :regex "to" "${i}"`)},
	{"a broken expression in deleteheader", `set "r" "["; deleteheader :regex "to" "${r}";` + check("a", `exists "to"`)},
	{"a control character in a value",
		`if header :matches "subject" "*" { addheader "X-Orig" "${1}"; } fileinto :create "done"; set "s" "${hex:07}";` +
			check("a", `header "X-Orig" "a${s}b"`)},
	{"octets in literal values", `addheader "X-A" "a${hex:01}b"; addheader "X-B" "a${hex:7f}b"; addheader "X-C" "a${hex:ff}b"; addheader "X-D" "a${hex:0d}b";` +
		check("a", `header "X-A" "a${hex:01}b"`) + check("b", `header "X-B" "a${hex:7f}b"`) + check("c", `header "X-C" "a${hex:ff}b"`) +
		check("d", `exists ["X-D", "X-A"]`)},
	{"a value with a NUL in a variable", `set "n" "${hex:00}"; addheader "X-A" "a${n}b"; fileinto :create "done";`},
	{"a NUL in an encoded word", `if header :matches "x-nul" "*" { addheader "X-Orig" "${1}"; } fileinto :create "done";`},
	{"an empty name", `set "n" ""; addheader "${n}" "v"; deleteheader "${n}"; fileinto :create "done";`},
	{"an empty literal name", `addheader "" "v"; fileinto :create "done";`},
	{"an empty value", `set "n" ""; addheader "X-A" "${n}";` + check("a", `header "X-A" ""`)},
	{"DEL in a name", `set "n" "${hex:7f}"; addheader "X${n}" "v"; deleteheader "X${n}"; fileinto :create "done";`},
	{"a space in a name", `set "n" "a b"; addheader "${n}" "v"; fileinto :create "done";`},
	{"an octet in a name", `set "n" "${hex:ff}"; addheader "X${n}" "v"; fileinto :create "done";`},
	{"a colon in a name to delete", `set "n" "a:b"; deleteheader "${n}"; fileinto :create "done";`},
	{"items of the environment", strings.Join(environmentChecks(true), "")},
	{"items of the environment in variables", strings.Join(environmentChecks(false), "")},
	{"the empty mailbox", `fileinto "";`},
	{"the empty mailbox by a variable", `set "e" ""; fileinto "${e}"; fileinto "A";`},
	{"the empty mailbox and a missing one", `set "e" ""; fileinto "${e}"; fileinto "nosuch";`},
	{"mailboxexists of no UTF-8", `set "e" "${hex:ff}";` + check("a", `mailboxexists ["A", "${e}"]`) + check("b", `mailboxexists "A"`)},
	{"protected fields are added",
		`addheader "Received" "new"; addheader "Auto-Submitted" "new"; addheader "X-Sieve-Redirected-From" "new"; addheader "Subject" "new";` +
			check("a", `header "received" "new"`) + check("b", `header "auto-submitted" "new"`) +
			check("c", `header "x-sieve-redirected-from" "new"`) + check("d", `header "subject" "new"`)},
	{"protected fields are deleted",
		`deleteheader "Received"; deleteheader "Auto-Submitted"; deleteheader "X-Sieve-Redirected-From"; deleteheader "Subject";` +
			check("a", `exists "received"`) + check("b", `exists "auto-submitted"`) + check("c", `exists "x-sieve-redirected-from"`) +
			check("d", `exists "subject"`)},
}

// sizes are changes of the header and the sizes around which the message is then,
// in octets.
var sizes = []string{
	``, `addheader "X-New" "value";`, `addheader :last "X-New" "v${hex:c3 a9}w";`, `deleteheader "To";`,
	`deleteheader "Subject"; addheader "Y" "1";`,
	`addheader "Y" "` + strings.Repeat("aaaaaaaaa ", 30) + `";`, `addheader "Y" "1"; deleteheader "Y";`, `addheader "Y" "";`,
	`addheader "Y" "a${hex:0d 0a}b"; addheader "Y" "2"; deleteheader :index 1 "Y";`,
	`deleteheader "Subject"; deleteheader "To"; deleteheader "From";`,
}

// TestSizeOfEdited asks for the size of messages whose header was changed.
func TestSizeOfEdited(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	const lf = "From: sender@example.net\nTo: a,\n  b@c\nSubject: x y\n\nbody\nbody\n"
	for _, raw := range []string{lf, strings.ReplaceAll(lf, "\n", "\r\n")} {
		for _, edit := range sizes {
			var b strings.Builder
			b.WriteString(oddRequire + edit)
			for n := range 500 {
				fmt.Fprintf(&b, "if size :over %d { set \"n\" \"%d\"; }\n", n, n)
			}
			b.WriteString(`fileinto :create "over${n}";`)
			want := deliver(o, t, []byte(raw), "sender@example.net", "user@example.org", []byte(b.String()))
			in := sequenceInput()
			in.Header, in.Body, in.Raw, in.Size = nil, nil, []byte(raw), 0
			got := executedOf(compileSequence(t, [][]byte{[]byte(b.String())}).Run(in))
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-Pigeonhole +ours):\n%s", edit, diff)
			}
			if raw != lf {
				// The same octets with line ends that the size alone has.
				in.Raw, in.Size = []byte(lf), int64(len(raw))
				if strings.Contains(edit, "hex") {
					continue
				}
				if diff := cmp.Diff(want, executedOf(compileSequence(t, [][]byte{[]byte(b.String())}).Run(in)), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s with counted line ends (-Pigeonhole +ours):\n%s", edit, diff)
				}
			}
		}
	}
}

// TestOddities delivers a message under each of the scripts.
func TestOddities(t *testing.T) {
	servertest.Need(t, "dovecot-lda")
	o := sievetest.NewOracle(t)
	for _, tt := range servertest.Part(t, oddities, 6) {
		t.Run(tt.name, func(t *testing.T) {
			src := []byte(oddRequire + tt.src)
			want := deliver(o, t, []byte(odd), "sender@example.net", "user@example.org", src)
			in := sievetest.Input([]byte(odd), "sender@example.net", "user@example.org")
			in.MailboxExists = folderExists
			in.Environment = map[string]string{"username": "x", "host": "x", "domain": "x", "config.x": "y", "config.a-b": "z"}
			r := compileSequence(t, [][]byte{src}).Run(in)
			if diff := cmp.Diff(want, executedOf(r), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-Pigeonhole +ours, %v):\n%s\n%s", r.Err, diff, src)
			}
		})
	}
}
