package condition

import "github.com/oxmailroute/oxmailroute/headers"

// Samples are header lines that a predicate looks for.
func Samples(p headers.Predicate) (lines []string) {
	first := func(values []string) string {
		if len(values) > 0 && values[0] != "" {
			return values[0]
		}
		return "x"
	}
	switch p := p.(type) {
	case headers.Exists:
		return []string{p.Name + ": x"}
	case headers.Match:
		return []string{p.Name + ": " + first(p.Values)}
	case headers.MatchPrefix:
		return []string{p.Prefix + "x: " + first(p.Values)}
	case headers.All:
		for _, q := range p {
			lines = append(lines, Samples(q)...)
		}
	case headers.Any:
		for _, q := range p {
			lines = append(lines, Samples(q)...)
		}
	case headers.Condition:
		return Samples(p.Predicate)
	case headers.Not:
		// Without the lines that must not be there, other mail counts as the gateway's.
		return Samples(p.Predicate)
	default: // ContentType: mail has that of its sender, and no gateway sets it
	}
	return lines
}
