package postfix

import (
	"strconv"
	"strings"
)

// level is a compatibility level: major, minor, patch (COMPATIBILITY_README).
type level [3]uint64

// parseLevel reads "major[.minor[.patch]]" as compat_level_from_string(3) does.
func parseLevel(s string) (level, error) {
	var l level
	parts := strings.Split(s, ".")
	if len(parts) > len(l) {
		return level{}, syntaxError("%q is not a compatibility level: write major.minor.patch", s)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 64)
		if !allDigits(part) || err != nil || i > 0 && n > 1023 {
			return level{}, syntaxError("%q is not a compatibility level: write major.minor.patch", s)
		}
		l[i] = n
	}
	return l, nil
}

// compareLevels is the order of "<level" and the like (postconf(5), Postfix 3.6
// and later).
func compareLevels(a, b string) (int, error) {
	x, err := parseLevel(a)
	if err != nil {
		return 0, err
	}
	y, err := parseLevel(b)
	if err != nil {
		return 0, err
	}
	for i := range x {
		switch {
		case x[i] < y[i]:
			return -1, nil
		case x[i] > y[i]:
			return 1, nil
		}
	}
	return 0, nil
}

// knownLevel is text that no $name makes something else; "0" for others.
func knownLevel(text string) string {
	if strings.Contains(text, "$") {
		return "0"
	}
	return text
}
