package sieve

// SpamTest compares the spam score of the message with Value: "0" for not
// tested, "1" to "10", or with Percent "0" to "100" (RFC 5235 section 2).
type SpamTest struct {
	// Percent needs the extension "spamtestplus".
	Percent    bool
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Value      string
}

// VirusTest compares what a virus scanner found with Value, "0" to "5" (RFC
// 5235 section 3).
type VirusTest struct {
	Match      MatchType
	Relation   Relation
	Comparator Comparator
	Value      string
}

func (SpamTest) test() {}

func (VirusTest) test() {}
