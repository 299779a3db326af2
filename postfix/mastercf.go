package postfix

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/oxmailroute/oxmailroute/internal/fault"
	"github.com/oxmailroute/oxmailroute/postfix/internal/block"
)

// Service is one entry of master.cf (master(5)). An empty field is written as
// "-", which means the default, and read back as "-".
type Service struct {
	Name         string // "smtp", "127.0.0.1:10030", "conbool-cleanup"
	Type         string // "inet", "unix", "unix-dgram", "fifo" or "pass"
	Private      string // "y", "n" or "-"
	Unprivileged string // "y", "n" or "-"
	Chroot       string // "y", "n" or "-"
	Wakeup       string // seconds, with "?" behind them where only a service that was used is woken, or "-"
	MaxProcesses string // number, 0 for no limit, or "-"
	Command      string // program in Postfix's daemon directory
	// Args are the arguments other than -o options: options such as "-v"
	// first, then what programs such as pipe(8) read.
	Args []string
	// Options are the -o options in their order; of two with one name the last
	// counts.
	Options []Param
	// Comment is written above the service as comment lines. It is not read
	// back.
	Comment string
	// Line is the first physical line where it was read. It is ignored when
	// one is written.
	Line int
}

// ServiceOptions are -o options that are to be added to a service that the
// customer has.
type ServiceOptions struct {
	Name, Type string
	Options    []Param
	// Override are the names among Options that may have another value in the
	// customer's part of the entry. The option there stays where it is, and the
	// later one wins (master(5)).
	Override []string
}

// Master is a master.cf file: its bytes, and what Postfix reads in them. Change
// it with [Master.Set] and [Master.Remove] only. A Master that isn't changed
// any more is safe for concurrent use.
type Master struct {
	name     string
	src      []byte
	entries  []masterEntry
	warnings []Warning
	seals    block.Seals // see KnowSeals
}

// masterEntry is a Service and the physical lines it stands in.
type masterEntry struct {
	Service
	parts []part
	// closed says why no more -o options can follow its last line.
	closed string
}

// ParseMaster reads master.cf as Postfix 3.7 does. name is for messages. What
// Postfix would stop on is an error, [Errors], all at once; what it would only
// warn of is in [Master.Warnings].
func ParseMaster(name string, src []byte) (*Master, error) {
	m := &Master{name: name, src: bytes.Clone(src)}
	var errs Errors
	s := lineScanner{src: m.src}
	for s.next() {
		if s.indented() {
			m.warnings = append(m.warnings, Warning{Position: Position{File: name, Line: s.first()}, Text: indentedText})
			continue
		}
		e, fatal, warn := parseService(string(cstring(s.text)))
		for _, text := range fatal {
			errs = append(errs, &Error{Position: Position{File: name, Line: s.first()}, Err: fault.New(ErrSyntax, text)})
		}
		for _, text := range warn {
			m.warnings = append(m.warnings, Warning{Position: Position{File: name, Line: s.first()}, Text: text})
		}
		if bytes.IndexByte(s.text, 0) >= 0 {
			e.closed = "a NUL hides what follows"
		}
		e.Line = s.first()
		e.parts = slices.Clone(s.parts)
		for i := range e.Options {
			e.Options[i].Line = s.first()
		}
		m.entries = append(m.entries, e)
	}
	if err := errs.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// masterBlanks separate the fields of an entry.
const masterBlanks = " \t\r\n"

// splitFields splits at white space outside balanced braces (mystrtokq(3)).
func splitFields(text string) []string {
	var list []string
	for {
		text = strings.TrimLeft(text, masterBlanks)
		if text == "" {
			return list
		}
		level, n := 0, 0
		for ; n < len(text); n++ {
			switch c := text[n]; {
			case c == '{':
				level++
			case c == '}' && level > 0:
				level--
			case level == 0 && strings.IndexByte(masterBlanks, c) >= 0:
				goto done
			}
		}
	done:
		list = append(list, text[:n])
		text = text[n:]
	}
}

// inBraces takes the braces off an argument "{text}" and the white space
// inside them (extpar(3)).
func inBraces(arg string) (text, why string) {
	n := closing(arg)
	if n < 0 {
		return "", fmt.Sprintf("missing \"}\" in %q", arg)
	}
	if n != len(arg)-1 {
		return "", fmt.Sprintf("text after \"}\" in %q", arg)
	}
	return strings.Trim(arg[1:n], spaces), ""
}

// parseService reads one logical line as master(8) and postconf(1) do. fatal is
// what stops master(8); warn is what stops only the one service when it is
// used, or nothing.
func parseService(text string) (e masterEntry, fatal, warn []string) {
	fail := func(format string, args ...any) { fatal = append(fatal, fmt.Sprintf(format, args...)) }
	skip := func(format string, args ...any) { warn = append(warn, fmt.Sprintf(format, args...)) }
	fields := splitFields(text)
	if len(fields) < 8 {
		fail("%d fields, want at least 8: name, type, private, unprivileged, chroot, wakeup, process limit, command", len(fields))
		return e, fatal, warn
	}
	e.Service = Service{
		Name: fields[0], Type: fields[1],
		Private: fields[2], Unprivileged: fields[3], Chroot: fields[4],
		Wakeup: fields[5], MaxProcesses: fields[6], Command: fields[7],
	}
	for _, why := range badFields(e.Service) {
		fail("%s", why)
	}
	args := fields[8:]
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" || !strings.HasPrefix(arg, "-") {
			e.closed = fmt.Sprintf("the argument %q ends its options", arg)
			break
		}
		args = args[1:]
		flags, value, isOption := strings.Cut(arg[1:], "o")
		if flags != "" || !isOption {
			e.Args = append(e.Args, "-"+flags)
		}
		if !isOption {
			continue
		}
		if value == "" {
			if len(args) == 0 {
				skip("-o without a value: write -o name=value")
				e.closed = "it ends in -o without a value"
				break
			}
			value, args = args[0], args[1:]
		}
		if strings.HasPrefix(value, "{") {
			inner, why := inBraces(value)
			if why != "" {
				fail("%s", why)
				continue
			}
			p, why := splitParam([]byte(inner))
			if why != "" {
				skip("-o %s: %s", value, why)
				continue
			}
			e.Options = append(e.Options, p)
			continue
		}
		name, v, ok := strings.Cut(value, "=")
		if !ok || name == "" {
			skip("-o %s: write -o name=value", value)
			continue
		}
		e.Options = append(e.Options, Param{Name: name, Value: v})
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "{") {
			inner, why := inBraces(arg)
			if why != "" {
				fail("%s", why)
				continue
			}
			arg = inner
		}
		e.Args = append(e.Args, arg)
	}
	return e, fatal, warn
}

// badFields says what is wrong with the first eight fields.
func badFields(s Service) []string {
	var list []string
	if !slices.Contains([]string{"inet", "unix", "unix-dgram", "fifo", "pass"}, s.Type) {
		list = append(list, fmt.Sprintf("type %q: write inet, unix, unix-dgram, fifo or pass", s.Type))
	}
	for _, f := range [...]struct{ name, value string }{
		{"private", s.Private}, {"unprivileged", s.Unprivileged}, {"chroot", s.Chroot},
	} {
		if f.value != "y" && f.value != "n" && f.value != "-" {
			list = append(list, fmt.Sprintf("%s %q: write y, n or -", f.name, f.value))
		}
	}
	if s.Wakeup != "-" && !allDigits(strings.TrimSuffix(s.Wakeup, "?")) {
		list = append(list, fmt.Sprintf("wakeup %q: write seconds, seconds? or -", s.Wakeup))
	}
	if s.MaxProcesses != "-" && !allDigits(s.MaxProcesses) {
		list = append(list, fmt.Sprintf("process limit %q: write a number or -", s.MaxProcesses))
	}
	return list
}

// Format returns the file. Without a change it is byte for byte what was
// parsed.
func (m *Master) Format() []byte {
	if m == nil {
		m = new(Master)
	}
	return bytes.Clone(m.src)
}

// Services returns all services in the order of the file, those that a later
// one replaces included.
func (m *Master) Services() []Service {
	if m == nil {
		m = new(Master)
	}
	list := make([]Service, len(m.entries))
	for i, e := range m.entries {
		list[i] = e.clone()
	}
	return list
}

func (s Service) clone() Service {
	s.Args = slices.Clone(s.Args)
	s.Options = slices.Clone(s.Options)
	return s
}

// Lookup returns the service of that name and type; of several the last, which
// is the one that master(8) runs. Names compare as text, as they do there:
// "smtp" and "25" are two services to it, even though the second can't be
// started; see [ServicePort].
func (m *Master) Lookup(name, typ string) (Service, bool) {
	if m == nil {
		m = new(Master)
	}
	if e := m.find(name, typ); e != nil {
		return e.clone(), true
	}
	return Service{}, false
}

func (m *Master) find(name, typ string) *masterEntry {
	for i := len(m.entries) - 1; i >= 0; i-- {
		if e := &m.entries[i]; e.Name == name && e.Type == typ {
			return e
		}
	}
	return nil
}

// Warnings returns what Postfix would log about the file, in its order.
func (m *Master) Warnings() []Warning {
	if m == nil {
		m = new(Master)
	}
	return slices.Clone(m.warnings)
}

// Option returns the value of the last -o option of that name.
func (s Service) Option(name string) (value string, ok bool) {
	for _, p := range slices.Backward(s.Options) {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

// ServicePort splits the name of an inet service, "25", "smtp",
// "127.0.0.1:smtp", "[::1]:25" or "::1:25", into host, empty where it listens
// on all of inet_interfaces, and port. Of symbolic ports those of mail are
// known: smtp, smtps, submission, submissions, lmtp and qmqp; ok is false for
// others.
func ServicePort(name string) (host string, port uint16, ok bool) {
	service := name
	if i := strings.LastIndexByte(name, ':'); i >= 0 {
		host, service = name[:i], name[i+1:]
		if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
			host = host[1 : len(host)-1]
		}
	}
	switch service {
	case "smtp":
		return host, 25, true
	case "smtps", "submissions":
		return host, 465, true
	case "submission":
		return host, 587, true
	case "lmtp":
		return host, 24, true
	case "qmqp":
		return host, 628, true
	}
	n, err := strconv.ParseUint(service, 10, 16)
	if err != nil || n == 0 {
		return "", 0, false
	}
	return host, uint16(n), true
}
