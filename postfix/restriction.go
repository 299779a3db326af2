package postfix

import "strings"

// Restriction is one element of an smtpd_*_restrictions list (postconf(5)).
type Restriction struct {
	// Name is as written; Postfix compares names without regard to case. It is
	// empty for a table that stands without the name of a check, which is the
	// one that the list is named after: check_client_access in
	// smtpd_client_restrictions.
	Name string
	// Arg is what the restriction takes: a table "hash:/etc/postfix/access" of
	// check_client_access, a server of check_policy_service, a domain of
	// reject_rbl_client, or seconds of sleep. The braces of
	// "{ server, settings }" are gone.
	Arg string
}

// Is reports whether the restriction has the name.
func (r Restriction) Is(name string) bool { return strings.EqualFold(r.Name, name) }

// ParseRestrictions reads a restriction list, its $name expressions expanded
// (see [Main.Expand]). Elements are separated by commas and white space, braces
// keep text with such characters together. The error, ErrSyntax, is for braces
// that don't balance, and for restrictions whose argument is missing; smtpd(8)
// then answers 451 to all mail.
func ParseRestrictions(value string) ([]Restriction, error) {
	words, err := splitList(value)
	if err != nil {
		return nil, err
	}
	var list []Restriction
	for i := 0; i < len(words); i++ {
		r := Restriction{Name: words[i]}
		if strings.Contains(r.Name, ":") {
			r.Name, r.Arg = "", r.Name
		} else if takesArgument(r.Name) {
			if i+1 == len(words) {
				return nil, syntaxError("%s without its argument", r.Name)
			}
			i++
			if r.Arg, err = unbrace(words[i]); err != nil {
				return nil, err
			}
		}
		list = append(list, r)
	}
	return list, nil
}

// takesArgument reports whether a restriction is followed by an argument.
func takesArgument(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "check_policy_service", "sleep",
		"reject_rbl", "reject_rbl_client", "permit_dnswl_client",
		"reject_rhsbl_client", "reject_rhsbl_reverse_client", "reject_rhsbl_helo",
		"reject_rhsbl_sender", "reject_rhsbl_recipient", "permit_rhswl_client":
		return true
	}
	return strings.HasPrefix(name, "check_") && strings.HasSuffix(name, "_access")
}

// splitList splits a list at commas and white space outside braces.
func splitList(value string) ([]string, error) {
	const separators = ", \t\r\n"
	var list []string
	for {
		value = strings.TrimLeft(value, separators)
		if value == "" {
			return list, nil
		}
		level, n := 0, 0
		for ; n < len(value); n++ {
			c := value[n]
			if c == '{' {
				level++
			} else if c == '}' && level > 0 {
				level--
			} else if level == 0 && strings.IndexByte(separators, c) >= 0 {
				break
			}
		}
		if level > 0 {
			return nil, syntaxError("missing \"}\" in %q", value)
		}
		list = append(list, value[:n])
		value = value[n:]
	}
}

// unbrace takes the braces off "{text}".
func unbrace(word string) (string, error) {
	if !strings.HasPrefix(word, "{") {
		return word, nil
	}
	text, why := inBraces(word)
	if why != "" {
		return "", syntaxError("%s", why)
	}
	return text, nil
}

// MapSpec names a look-up table as "type:name" (DATABASE_README).
type MapSpec struct {
	Type string // "hash", "regexp", "cidr", "inline", "static", "proxy", ...
	Name string // path, or for inline: and static: the contents
}

// String writes "type:name".
func (s MapSpec) String() string { return s.Type + ":" + s.Name }

// ParseMaps reads a list of tables as transport_maps or header_checks name
// them, its $name expressions expanded. A table without a type has
// default_database_type, and here an empty Type. The error is ErrSyntax.
func ParseMaps(value string) ([]MapSpec, error) {
	words, err := splitList(value)
	if err != nil {
		return nil, err
	}
	list := make([]MapSpec, 0, len(words))
	for _, w := range words {
		if strings.HasPrefix(w, "{") {
			// "{ type:name, { settings } }" of the access checks.
			inner, err := unbrace(w)
			if err != nil {
				return nil, err
			}
			parts, err := splitList(inner)
			if err != nil {
				return nil, err
			}
			if len(parts) == 0 {
				return nil, syntaxError("empty {}")
			}
			w = parts[0]
		}
		typ, name, ok := strings.Cut(w, ":")
		if !ok {
			typ, name = "", w
		}
		list = append(list, MapSpec{typ, name})
	}
	return list, nil
}

// InlineTable returns the contents of an inline: table, "{ key=value, { key =
// text with white space } }"; the last of two equal keys counts there. The
// error is ErrSyntax.
func InlineTable(name string) (Table, error) {
	inner, err := unbrace(strings.TrimSpace(name))
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(strings.TrimSpace(name), "{") {
		return nil, syntaxError("inline:%s: write inline:{ key=value }", name)
	}
	words, err := splitList(inner)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 {
		return nil, syntaxError("inline:%s: empty table", name)
	}
	var t Table
	rows := make(map[string]int)
	for _, w := range words {
		text, err := unbrace(w)
		if err != nil {
			return nil, err
		}
		k, v, ok := splitQuotedName(text)
		if !ok {
			return nil, syntaxError("inline:%s: no key=value in %q", name, w)
		}
		key, ok := foldKey(k)
		if !ok {
			return nil, syntaxError("inline:%s: %q is not UTF-8", name, w)
		}
		e := Entry{Key: k, Value: v}
		if i, dup := rows[key]; dup {
			t[i] = e
			continue
		}
		rows[key] = len(t)
		t = append(t, e)
	}
	return t, nil
}

// splitQuotedName splits "name = value", where the name may have double quotes
// and backslashes in it (split_qnameval(3)).
func splitQuotedName(text string) (name, value string, ok bool) {
	text = strings.TrimLeft(text, spaces)
	quoted, n := false, 0
	for ; n < len(text) && (quoted || text[n] != '=' && !isSpace(text[n])); n++ {
		switch text[n] {
		case '"':
			quoted = !quoted
		case '\\':
			n++
		}
	}
	if n >= len(text) {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(text[n:], spaces), "=")
	return text[:n], strings.Trim(rest, spaces), ok
}

// StaticValue returns the result of a static: table: the name, or what stands
// in "{ text }". The error is ErrSyntax.
func StaticValue(name string) (string, error) { return unbrace(name) }
