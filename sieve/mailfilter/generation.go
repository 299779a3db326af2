package mailfilter

import (
	"fmt"
	"strings"
)

// Generation is a generation of OX App Suite's mailfilter, by what it reads of
// a script and what it makes of it when a user saves.
type Generation string

const (
	// EveryOX is the default: what every generation reads and keeps. It is right
	// where nobody knows which one a user has, or where it will be updated.
	EveryOX Generation = ""
	// OlderOX is that of the versions 7.6 to 7.8. It doesn't read the tests
	// exists, date and string, the commands setflag and filter, and fileinto with
	// :copy.
	OlderOX Generation = "older"
	// OX8 is that of OX App Suite 8 (as of January 2024; 7.10 reads the same). It
	// reads less of currentdate, and wants the require command in line 2.
	OX8 Generation = "8"
)

// ParseGeneration returns the generation that is called "", "older" or "8".
func ParseGeneration(name string) (Generation, error) {
	switch g := Generation(name); g {
	case EveryOX, OlderOX, OX8:
		return g, nil
	default:
		return EveryOX, fmt.Errorf("mailfilter: %q is no generation of OX App Suite: use %q, %q or \"\" for every one", name, OlderOX, OX8)
	}
}

// each are the single generations that g stands for.
func (g Generation) each() []Generation {
	if g == OlderOX || g == OX8 {
		return []Generation{g}
	}
	return []Generation{OlderOX, OX8}
}

// subject is what findings call the generation.
func (g Generation) subject() string {
	switch g {
	case OlderOX:
		return "older OX"
	case OX8:
		return "OX 8"
	default:
		return "OX"
	}
}

// form is what OX reads of a command or test. Names and tags count as they are
// written: OX compares them with their case.
type form struct {
	tags string // with their colons, between spaces
	// min and max bound the arguments that aren't tags; for tests, those of tags
	// count too.
	min, max int
	// tagFirst says that the first argument must be a tag.
	tagFirst bool
	// requires are the extensions that OX requires for it when it saves.
	requires []string
}

const (
	matchTags  = " :is :contains :matches :regex "
	partTags   = matchTags + ":all :localpart :domain "
	detailTags = partTags + ":user :detail "
	many       = 1 << 30
)

// testForms are the tests that every generation reads; ox8Tests and olderTests
// go before them.
var testForms = map[string]form{
	"address":  {tags: detailTags, min: 2, max: many},
	"envelope": {tags: partTags, min: 2, max: many, requires: []string{"envelope"}},
	"header":   {tags: partTags, min: 2, max: many},
	"size":     {tags: " :over :under ", min: 1, max: 1},
	"body":     {tags: matchTags + ":content :text ", min: 1, max: 1, requires: []string{"body"}},
	"hasflag":  {tags: matchTags, min: 1, max: many},
	"true":     {},
	"false":    {},
	"not":      {},
	"allof":    {},
	"anyof":    {},
}

var olderTests = map[string]form{
	"currentdate": {tags: " :is :contains :matches :value ", min: 2, max: many, requires: []string{"date"}},
}

var ox8Tests = map[string]form{
	"envelope":    {tags: detailTags, min: 2, max: many, requires: []string{"envelope"}},
	"exists":      {min: 1, max: 1},
	"currentdate": {tags: " :is :value :zone ", min: 2, max: many, requires: []string{"date"}},
	"date":        {tags: " :is :value :zone :originalzone ", min: 2, max: many, requires: []string{"date"}},
	"hasflag":     {tags: matchTags, min: 1, max: many, requires: []string{"imap4flags", "imapflags"}},
	"string":      {tags: matchTags, min: 2, max: many, requires: []string{"variables"}},
}

// actionForms are the actions, in the same way.
var actionForms = map[string]form{
	"keep":         {max: many},
	"discard":      {max: many},
	"stop":         {max: many},
	"fileinto":     {min: 1, max: many, requires: []string{"fileinto"}},
	"redirect":     {tags: " :copy ", min: 1, max: many},
	"reject":       {min: 1, max: many, requires: []string{"reject"}},
	"vacation":     {tags: " :days :addresses :subject :from ", min: 1, max: many, tagFirst: true, requires: []string{"vacation"}},
	"notify":       {tags: " :message ", min: 1, max: many, tagFirst: true, requires: []string{"enotify"}},
	"pgp_encrypt":  {tags: " :keys ", max: many, tagFirst: true, requires: []string{"vnd.dovecot.pgp-encrypt"}},
	"addflag":      {min: 1, max: many, requires: []string{"imap4flags", "imapflags"}},
	"removeflag":   {min: 1, max: many, requires: []string{"imap4flags", "imapflags"}},
	"addheader":    {tags: " :last ", min: 2, max: many, requires: []string{"editheader"}},
	"deleteheader": {min: 1, max: many, requires: []string{"editheader"}},
	"set":          {min: 2, max: many, requires: []string{"variables"}},
}

var olderActions = map[string]form{
	"redirect": {tags: " :copy ", min: 1, max: many, requires: []string{"copy"}},
}

var ox8Actions = map[string]form{
	"fileinto": {tags: " :copy ", min: 1, max: many, requires: []string{"fileinto"}},
	"setflag":  {min: 1, max: many, requires: []string{"imap4flags", "imapflags"}},
	"filter":   {max: many, requires: []string{"vnd.dovecot.filter"}},
}

// tagRequires are the extensions that OX requires for a tag.
var tagRequires = map[string]string{":regex": "regex", ":value": "relational", ":user": "subaddress", ":detail": "subaddress"}

// takesArgument are the tags whose argument follows.
const takesArgument = " :days :addresses :subject :from :message :keys "

// test returns what the generation reads of a test; ok is false where it
// doesn't know the name.
func (g Generation) test(name string) (f form, ok bool) {
	return look(map[Generation]map[string]form{OlderOX: olderTests, OX8: ox8Tests}[g], testForms, name)
}

func (g Generation) action(name string) (f form, ok bool) {
	return look(map[Generation]map[string]form{OlderOX: olderActions, OX8: ox8Actions}[g], actionForms, name)
}

func look(own, common map[string]form, name string) (form, bool) {
	if f, ok := own[name]; ok {
		return f, true
	}
	f, ok := common[name]
	return f, ok
}

// reads reports whether the form has the tag, which is without its colon.
func (f form) reads(tag string) bool { return strings.Contains(f.tags, " :"+tag+" ") }

// movable are the commands that OX moves before a fileinto that stands before
// them in the same block.
func (g Generation) movable(name string) bool {
	switch name {
	case "addflag", "addheader", "deleteheader":
		return true
	case "removeflag":
		return g == OX8
	default:
		return false
	}
}
