package postfix

import (
	"fmt"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix/internal/block"

	"github.com/oxmailroute/oxmailroute/internal/fault"
)

// ValidParamName reports why a parameter can't have the name, nil where it can:
// letters, digits, "_", and "-" and "." as they occur in names that are made of
// a transport's name. Only names without "-" and "." can be referred to as
// $name. The error is ErrIllegal.
func ValidParamName(name string) error {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isNameByte(c) && (i == 0 || c != '-' && c != '.') {
			return fault.New(ErrIllegal, fmt.Sprintf("parameter name %q: write letters, digits and \"_\"", name))
		}
	}
	if name == "" {
		return fault.New(ErrIllegal, "the parameter name is empty")
	}
	return nil
}

// ValidValue reports why a parameter can't have the value, nil where it can.
// A value is what stands after "=", so "$" begins an expression and a dollar is
// "$$" (see [Quote]). Not allowed are what would end the line or make Postfix
// stop: line ends, control characters, text that isn't UTF-8, and broken $name
// expressions; and what postconf would print as another value: white space
// around it, and more than one space in a row. The empty value is allowed. The
// error is ErrIllegal.
func ValidValue(value string) error {
	if value == "" {
		return nil
	}
	why := badText(value)
	if why == "" {
		switch {
		case strings.Contains(value, "  ") || strings.Contains(value, "\t"):
			why = "holds more than one space in a row, or a tab"
		default:
			if err := (&expander{scan: true}).text(value); err != nil {
				why = err.Error()
			}
		}
	}
	if why != "" {
		return fault.New(ErrIllegal, fmt.Sprintf("value %q: %s", value, why))
	}
	return nil
}

// Quote returns the value that means text: each "$" as "$$".
func Quote(text string) string { return strings.ReplaceAll(text, "$", "$$") }

// ValidTransport reports why a transport or service of master.cf can't have the
// name, nil where it can: letters, digits, ".", "_" and "-", a letter or digit
// first. Postfix takes more than that, but not everywhere that a transport is
// named. The error is ErrIllegal.
func ValidTransport(name string) error {
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isAlnum(c) && (i == 0 || c != '.' && c != '_' && c != '-') {
			return fault.New(ErrIllegal, fmt.Sprintf("transport name %q: write letters, digits, \".\", \"_\", \"-\", a letter or digit first", name))
		}
	}
	if name == "" {
		return fault.New(ErrIllegal, "the transport name is empty")
	}
	return nil
}

// checkParams checks definitions that are to be written. path leads to the
// slice.
func checkParams(path string, params []Param) Errors {
	var errs Errors
	fail := func(i int, field string, err error) {
		errs = append(errs, &Error{Position: Position{Path: fmt.Sprintf("%s[%d].%s", path, i, field)}, Err: err})
	}
	seen := make(map[string]int, len(params))
	for i, p := range params {
		if err := ValidParamName(p.Name); err != nil {
			fail(i, "Name", err)
		} else if first, dup := seen[p.Name]; dup {
			fail(i, "Name", fault.New(ErrDuplicate, fmt.Sprintf("%s is set by [%d] already", p.Name, first)))
		} else {
			seen[p.Name] = i
		}
		if err := ValidValue(p.Value); err != nil {
			fail(i, "Value", err)
		}
		if err := checkComment(p.Comment); err != nil {
			fail(i, "Comment", err)
		}
	}
	return errs
}

// checkComment checks a comment in a file with frames.
func checkComment(text string) error {
	why := badComment(text)
	if why == "" && block.IsMark(text) {
		why = `has a line that begins with "BEGIN " or "END ", as the comment lines around a block do`
	}
	if why != "" {
		return fault.New(ErrIllegal, fmt.Sprintf("comment %q: %s", text, why))
	}
	return nil
}
