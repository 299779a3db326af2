package paths

import (
	"strconv"
	"strings"
	"unicode"
)

// Tenant is which tenant a path leads to.
func Tenant(path string) (i int, ok bool) {
	rest, ok := strings.CutPrefix(path, "Tenants[")
	if !ok {
		return 0, false
	}
	number, _, _ := strings.Cut(rest, "]")
	i, err := strconv.Atoi(number)
	return i, err == nil && i >= 0
}

// Called is what a tenant is called in messages: its name, or its first domain.
func Called(name string, domains []string) string {
	if name == "" && len(domains) > 0 {
		name = domains[0]
	}
	if len(name) > 100 || strings.IndexFunc(name, unicode.IsControl) >= 0 {
		name = strconv.Quote(name[:min(len(name), 100)])
	}
	return name
}
