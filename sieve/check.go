package sieve

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/oxmailroute/oxmailroute/headers"
)

// checkMailbox is what sievec demands of a mailbox name.
func checkMailbox(name string) error {
	if !utf8.ValidString(name) {
		return fmt.Errorf("mailbox %q is not UTF-8", name)
	}
	return nil
}

// checkComparator says which match types a comparator can do.
func checkComparator(m MatchType, c Comparator) error {
	if c != ASCIINumeric {
		return nil
	}
	switch m {
	case Contains, Matches, Regex:
		return fmt.Errorf("comparator %q can't compare with :%s", string(c), string(m))
	}
	return nil
}

// checkMIME says whether the MIME tags are those of the supported form.
func (t Header) checkMIME() error {
	if !t.MIME {
		if t.AnyChild || t.MIMEPart != "" {
			return errors.New("the tags :anychild and :contenttype need :mime")
		}
		return nil
	}
	if t.MIMEPart != MIMEContentType || len(t.Names) != 1 || !strings.EqualFold(t.Names[0], "Content-Type") ||
		t.Match != "" && t.Match != Is || t.Comparator != "" && t.Comparator != ASCIICasemap {
		return fmt.Errorf(`of the header test with :mime, all but :contenttype :is "Content-Type" is %w`, ErrUnsupported)
	}
	if err := headers.Validate(headers.ContentType{Types: t.Keys}); err != nil && len(t.Keys) > 0 {
		return fmt.Errorf("with :contenttype, keys that are no media types are %w: %w", ErrUnsupported, err)
	}
	return nil
}
