package paths

import "strings"

// Gateway is where a gateway stands in the policy.
func Gateway(i int) string {
	if i == 0 {
		return "Gateway"
	}
	return Index("Further", i-1)
}

// Further is a path within the view of a gateway as the policy has it.
func Further(i int, path string) string {
	if i == 0 {
		return path
	}
	if rest, ok := strings.CutPrefix(path, "Gateway."); ok {
		return Gateway(i) + "." + rest
	}
	if strings.HasPrefix(path, "Inbound.") {
		return Gateway(i) + "." + path
	}
	return path
}
