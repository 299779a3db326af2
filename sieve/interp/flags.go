package interp

import (
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/sieve/internal/ascii"
	"github.com/oxmailroute/oxmailroute/sieve/internal/imapflag"
)

// validFlags returns the valid flags of a list, each once and as it is written:
// hasflag with i;octet sees how a flag was written first.
func validFlags(list []string) []string {
	var out []string
	var have map[string]bool // once there are many; valid flags are ASCII
	for _, f := range imapflag.Split(list) {
		if !imapflag.Valid(f) {
			continue
		}
		if len(out) < manyKeys {
			if !hasFlag(out, f) {
				out = append(out, f)
			}
			continue
		}
		if have == nil {
			have = make(map[string]bool)
			for _, f := range out {
				have[ascii.Lower(f)] = true
			}
		}
		if key := ascii.Lower(f); !have[key] {
			have[key] = true
			out = append(out, f)
		}
	}
	return out
}

// spendStrings is what it costs to split and check lists of flags.
func (r *run) spendStrings(list []string) {
	for _, s := range list {
		r.spend(16 + 8*costAlloc*len(s))
	}
}

// publicFlags returns a copy of what is stored of the list, with the system flags
// in their common spelling.
func publicFlags(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	out := slices.Clone(imapflag.Stored(list))
	for i, f := range out {
		if name, ok := imapflag.System(f); ok {
			out[i] = name
		}
	}
	return out
}

func hasFlag(list []string, flag string) bool {
	return slices.ContainsFunc(list, func(f string) bool { return strings.EqualFold(f, flag) })
}
