package sieve

import (
	"fmt"
	"math/bits"
	"strings"
)

// Extensions is a set of Sieve extensions: those a server has on, or those a
// script requires. Sets are joined with | and compared with ==.
//
// Known are those of RFC 5228 (fileinto, envelope, encoded-character, and the
// comparators i;octet, i;ascii-casemap, i;ascii-numeric and i;unicode-casemap, RFC
// 4790, RFC 5051), and copy (RFC 3894), body (RFC 5173), environment (RFC 5183),
// variables (RFC 5229), vacation and vacation-seconds (RFC 5230, RFC 6131),
// relational (RFC 5231), imap4flags (RFC 5232), subaddress (RFC 5233), spamtest,
// spamtestplus and virustest (RFC 5235), date and index (RFC 5260), editheader (RFC
// 5293), reject and ereject (RFC 5429), enotify with mailto (RFC 5435, RFC 5436),
// ihave (RFC 5463), mailbox, mboxmetadata and servermetadata (RFC 5490), mime,
// foreverypart and extracttext (RFC 5703), include (RFC 6609), duplicate (RFC
// 7352), special-use (RFC 8579), regex (draft-ietf-sieve-regex), Dovecot's debug,
// environment, report and duplicate, and the drafts imapflags and notify, whose
// commands ([DraftNotify], [Denotify]) are read and printed, but can't be run.
type Extensions uint64

// The extensions that this package knows, by the names that require takes
// ([Extensions.Names]).
const (
	ExtFileInto           Extensions = 1 << iota // "fileinto", RFC 5228 section 4.1
	ExtEnvelope                                  // "envelope", RFC 5228 section 5.4
	ExtEncodedCharacter                          // "encoded-character", RFC 5228 section 2.4.2.4
	ExtOctet                                     // "comparator-i;octet", RFC 5228 section 2.7.3; always there
	ExtASCIICasemap                              // "comparator-i;ascii-casemap", RFC 5228 section 2.7.3; always there
	ExtASCIINumeric                              // "comparator-i;ascii-numeric", RFC 4790 section 9.1
	ExtUnicodeCasemap                            // "comparator-i;unicode-casemap", RFC 5051
	ExtReject                                    // "reject", RFC 5429 section 2.2
	ExtEReject                                   // "ereject", RFC 5429 section 2.1
	ExtVacation                                  // "vacation", RFC 5230
	ExtVacationSeconds                           // "vacation-seconds", RFC 6131; brings vacation with it
	ExtSubaddress                                // "subaddress", RFC 5233
	ExtRelational                                // "relational", RFC 5231
	ExtRegex                                     // "regex", draft-ietf-sieve-regex
	ExtIMAP4Flags                                // "imap4flags", RFC 5232
	ExtCopy                                      // "copy", RFC 3894
	ExtInclude                                   // "include", RFC 6609
	ExtBody                                      // "body", RFC 5173
	ExtVariables                                 // "variables", RFC 5229
	ExtENotify                                   // "enotify", RFC 5435
	ExtEnvironment                               // "environment", RFC 5183
	ExtMailbox                                   // "mailbox", RFC 5490 section 3
	ExtMboxMetadata                              // "mboxmetadata", RFC 5490 section 4
	ExtServerMetadata                            // "servermetadata", RFC 5490 section 5
	ExtDate                                      // "date", RFC 5260 section 4
	ExtIndex                                     // "index", RFC 5260 section 6
	ExtIHave                                     // "ihave", RFC 5463
	ExtDuplicate                                 // "duplicate", RFC 7352
	ExtMIME                                      // "mime", RFC 5703 section 4
	ExtForEveryPart                              // "foreverypart", RFC 5703 section 3
	ExtExtractText                               // "extracttext", RFC 5703 section 7
	ExtEditHeader                                // "editheader", RFC 5293
	ExtSpamTest                                  // "spamtest", RFC 5235 section 2
	ExtSpamTestPlus                              // "spamtestplus", RFC 5235 section 2
	ExtVirusTest                                 // "virustest", RFC 5235 section 3
	ExtSpecialUse                                // "special-use", RFC 8579
	ExtDovecotDebug                              // "vnd.dovecot.debug"
	ExtDovecotEnvironment                        // "vnd.dovecot.environment"; brings environment with it
	ExtDovecotReport                             // "vnd.dovecot.report"
	ExtDovecotDuplicate                          // "vnd.dovecot.duplicate", what duplicate was before RFC 7352
	ExtIMAPFlags                                 // "imapflags", the draft that became imap4flags
	ExtNotify                                    // "notify", the draft that became enotify

	// QuoteRegexModifier is what set needs for :quoteregex besides ExtRegex and
	// ExtVariables. It has no name to require; the servers of Debian 12 and 13
	// don't have it.
	QuoteRegexModifier

	// ImportExport is what the commands import and export need besides
	// ExtInclude and ExtVariables. It has no name to require; Pigeonhole lost
	// them with 2.4.
	ImportExport

	extCount = iota
)

// AllExtensions are all that this package knows.
const AllExtensions Extensions = 1<<extCount - 1

// Pigeonhole24 says that the server is Pigeonhole 2.4, where it does something
// else than 0.5 with the same extensions: i;unicode-casemap needs no require, and
// the test string compares with i;ascii-casemap where it names no comparator. It
// has no name to require, and is no part of AllExtensions.
const Pigeonhole24 Extensions = 1 << 63

// What servers have on where the setting sieve_extensions says nothing. The
// programs sievec and sieve-test add vnd.dovecot.debug.
const (
	// Debian12 is Pigeonhole 0.5.19 (Dovecot 2.3.19) as Debian 12 builds it.
	Debian12 = ExtFileInto | ExtEnvelope | ExtEncodedCharacter | ExtOctet | ExtASCIICasemap | ExtASCIINumeric |
		ExtReject | ExtVacation | ExtSubaddress | ExtRelational | ExtRegex | ExtIMAP4Flags | ExtCopy | ExtInclude |
		ExtBody | ExtVariables | ExtENotify | ExtEnvironment | ExtMailbox | ExtDate | ExtIndex | ExtIHave |
		ExtDuplicate | ExtMIME | ExtForEveryPart | ExtExtractText | ImportExport
	// Debian13 is Pigeonhole 2.4.1 as Debian 13 builds it.
	Debian13 = Debian12&^ImportExport | ExtUnicodeCasemap | Pigeonhole24
)

var extensionNames = [extCount]string{
	"fileinto", "envelope", "encoded-character", "comparator-i;octet", "comparator-i;ascii-casemap",
	"comparator-i;ascii-numeric", "comparator-i;unicode-casemap", "reject", "ereject", "vacation", "vacation-seconds",
	"subaddress", "relational", "regex", "imap4flags", "copy", "include", "body", "variables", "enotify", "environment",
	"mailbox", "mboxmetadata", "servermetadata", "date", "index", "ihave", "duplicate", "mime", "foreverypart",
	"extracttext", "editheader", "spamtest", "spamtestplus", "virustest", "special-use", "vnd.dovecot.debug",
	"vnd.dovecot.environment", "vnd.dovecot.report", "vnd.dovecot.duplicate", "imapflags", "notify", "", "",
}

// extensionsByName are the extensions in the order of their names.
var extensionsByName = func() (out [extCount]uint8) {
	for i := range out {
		j := i
		for ; j > 0 && extensionNames[out[j-1]] > extensionNames[i]; j-- {
			out[j] = out[j-1]
		}
		out[j] = uint8(i)
	}
	return out
}()

// ExtensionNamed returns the extension of a name as require takes it, which has
// one case only; 0 where there is none.
func ExtensionNamed(name string) Extensions {
	if name == "" {
		return 0
	}
	lo, hi := 0, extCount
	for lo < hi {
		mid := (lo + hi) / 2
		i := extensionsByName[mid]
		switch have := extensionNames[i]; {
		case have == name:
			return 1 << i
		case have < name:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return 0
}

// Has reports whether the set holds all of the other.
func (e Extensions) Has(all Extensions) bool { return e&all == all }

// Names returns the names in order.
func (e Extensions) Names() []string {
	if e &= AllExtensions; e == 0 {
		return nil
	}
	out := make([]string, 0, bits.OnesCount64(uint64(e)))
	for _, i := range extensionsByName {
		if e&(1<<i) != 0 && extensionNames[i] != "" {
			out = append(out, extensionNames[i])
		}
	}
	return out
}

// String returns the names in order, separated by spaces, as sieve_extensions
// takes them.
func (e Extensions) String() string { return strings.Join(e.Names(), " ") }

// Set returns the set that Pigeonhole's setting sieve_extensions makes of e:
// names separated by spaces, which replace the set (but for Pigeonhole24), or where
// one of them begins with + or -, names to add and to take away. What is added and taken away in
// one setting is added. An unknown name is an error.
func (e Extensions) Set(setting string) (Extensions, error) {
	var add, remove Extensions
	changes := false
	for _, f := range strings.Fields(setting) {
		name, to := f, &add
		switch f[0] {
		case '+':
			name, changes = f[1:], true
		case '-':
			name, changes, to = f[1:], true, &remove
		}
		x := ExtensionNamed(name)
		if x == 0 {
			return e, fmt.Errorf("extension %q is unknown: take one of %s", name, AllExtensions)
		}
		*to |= x
	}
	if changes {
		add |= e &^ remove
	}
	return add | e&Pigeonhole24, nil
}
