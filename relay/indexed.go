package relay

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/oxmailroute/oxmailroute/postfix"
)

const (
	databaseType        = "default_database_type"
	defaultDatabaseType = "hash"
)

// indexSuffixes are the types of indexed tables that postmap(1) makes and that
// are read like hash:, and what is behind the name of the file that it makes
// (DATABASE_README).
var indexSuffixes = map[string]string{"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}

// indexedSpec names a generated table of the kind that the installation's
// postmap makes: hash: needs Berkeley DB, which Red Hat Enterprise Linux 9 and
// Alpine don't have any more.
func (c *site) indexedSpec(file string) postfix.MapSpec {
	return postfix.MapSpec{Type: cmp.Or(c.indexTypes[file], c.indexType), Name: c.path(file)}
}

// setIndexType decides the kind: before a configuration is written from nothing
// as Installation.DatabaseType has it, and by main.cf once that is read.
func (c *reader) setIndexType() {
	in := strings.TrimSpace(c.in.DatabaseType)
	switch {
	case in == "" && c.main == nil:
		c.indexType = defaultDatabaseType
	case in == "":
		if v := c.base.get(databaseType); indexSuffixes[v] != "" {
			c.indexType = v
		}
	case indexSuffixes[in] != "":
		c.indexType = in
	case c.main == nil:
		c.indexType = defaultDatabaseType
		c.errs.Add("Installation.DatabaseType", ErrInvalid, "one of hash, btree, lmdb and cdb, which postconf -m lists; or leave it empty",
			"%q is no type of table that is made here", in)
	}
}

// indexSuffix is what is behind the name of the file that was made of a
// generated table, by the settings that name it.
func indexSuffix(settings []use, file string) string {
	for _, kind := range []string{"lmdb", "cdb"} {
		named := regexp.MustCompile(`\b` + kind + `:[^\s,{}]*/` + regexp.QuoteMeta(file) + `(?:[^\w.-]|$)`)
		if slices.ContainsFunc(settings, func(u use) bool { return named.MatchString(u.value) }) {
			return indexSuffixes[kind]
		}
	}
	return indexSuffixes[defaultDatabaseType]
}
