package postfix

import (
	"bytes"
	"fmt"
	"strings"
)

// ParseAliasFile reads the source text of an aliases(5) table the way
// postalias(1) does: "name: value, value". Names may stand in double quotes,
// which are taken off. It never fails: lines that postalias skips are warnings.
func ParseAliasFile(name string, src []byte) (Table, []Warning) {
	var t Table
	var warnings []Warning
	s := lineScanner{src: src}
	for s.next() {
		warn := func(text string) {
			warnings = append(warnings, Warning{Position: Position{File: name, Line: s.first()}, Text: text})
		}
		if s.indented() {
			warn(indentedText)
			continue
		}
		text := string(bytes.TrimRight(cstring(s.text), spaces))
		quoted, colon := false, -1
		for i := 0; i < len(text) && colon < 0; i++ {
			switch text[i] {
			case '\\':
				i++
			case '"':
				quoted = !quoted
			case ':':
				if !quoted {
					colon = i
				}
			}
		}
		if colon < 0 {
			warn("need name:value pair: the line is ignored")
			continue
		}
		key := strings.Trim(text[:colon], spaces)
		if n := len(key); n > 1 && key[0] == '"' && key[n-1] == '"' {
			key = key[1 : n-1]
		}
		value := strings.Trim(text[colon+1:], spaces)
		if key == "" || value == "" {
			warn("need name:value pair: the line is ignored")
			continue
		}
		t = append(t, Entry{Key: key, Value: value, Line: s.first()})
	}
	h := newHashed(t)
	for i := range t {
		if first, dup := h.insert(i); dup {
			warnings = append(warnings, Warning{Position: Position{File: name, Line: t[i].Line},
				Text: fmt.Sprintf("duplicate entry %q: the one in line %d counts", t[i].Key, t[first].Line)})
		}
	}
	return t, warnings
}

// AliasMembers takes the right-hand side of an aliases(5) row apart: addresses,
// "|command", "/file/name" and ":include:/file/name", with the quotes around
// the latter taken off.
func AliasMembers(value string) []string {
	list := splitAddresses(value)
	for i, m := range list {
		if n := len(m); n > 1 && m[0] == '"' && m[n-1] == '"' && strings.IndexByte(`|/:`, m[1]) >= 0 {
			list[i] = m[1 : n-1]
		}
	}
	return list
}
