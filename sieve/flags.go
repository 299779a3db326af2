package sieve

import (
	"slices"
	"strings"
)

// systemFlag returns the name of a system flag as RFC 3501 section 2.3.2
// writes it, without regard to case.
func systemFlag(flag string) (string, bool) {
	for _, name := range []string{`\Answered`, `\Flagged`, `\Deleted`, `\Seen`, `\Draft`} {
		if strings.EqualFold(flag, name) {
			return name, true
		}
	}
	return "", false
}

// flagValid reports whether the server takes the flag; it leaves out others,
// with a warning in its log.
func flagValid(flag string) bool {
	if strings.HasPrefix(flag, `\`) {
		_, ok := systemFlag(flag)
		return ok
	}
	for i := 0; i < len(flag); i++ {
		if c := flag[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return flag != ""
}

// splitFlags returns the flags of a list, each string of which can hold
// several (RFC 5232 section 2).
func splitFlags(list []string) []string {
	var out []string
	for _, s := range list {
		for _, f := range strings.Split(s, " ") {
			if f != "" {
				out = append(out, f)
			}
		}
	}
	return out
}

// validFlags returns the valid flags of a list, each once and as it is written:
// hasflag with i;octet sees how a flag was written first.
func validFlags(list []string) []string {
	var out []string
	for _, f := range splitFlags(list) {
		if flagValid(f) && !hasFlag(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// publicFlags returns a copy of the list with the system flags in their common
// spelling.
func publicFlags(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(list)
	for i, f := range out {
		if name, ok := systemFlag(f); ok {
			out[i] = name
		}
	}
	return out
}

func hasFlag(list []string, flag string) bool {
	return slices.ContainsFunc(list, func(f string) bool { return strings.EqualFold(f, flag) })
}

// addFlags returns a new list with the flags added.
func addFlags(list, flags []string) []string {
	out := slices.Clip(list)
	for _, f := range flags {
		if !hasFlag(out, f) {
			out = append(out, f)
		}
	}
	return out
}

// removeFlags returns a new list without the flags.
func removeFlags(list, flags []string) []string {
	var out []string
	for _, f := range list {
		if !hasFlag(flags, f) {
			out = append(out, f)
		}
	}
	return out
}
