package sieve

// Environment holds where an item of the environment compares true with one of
// the Keys (RFC 5183 section 4).
type Environment struct {
	Item       string
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Keys       []string
}

func (Environment) test() {}

// dovecotItem begins the items of the environment that
// vnd.dovecot.environment adds.
const dovecotItem = "vnd.dovecot."
