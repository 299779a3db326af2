// Package mailfilter edits the Sieve scripts that OX App Suite's mailfilter
// writes, and every other, byte for byte: it puts rules in, keeps them through
// what OX does to a script, and takes them out again.
//
//	d, err := mailfilter.Parse("alice", script)
//	...                                    // not Sieve: leave it alone
//	_, err = d.Upsert(rules...)            // of relay's Config.MailboxRules, for example
//	for _, f := range d.Findings(flags...) // rules of the user's that come before the managed ones
//	script = d.Format()
//
// # What OX does
//
// A user has one script on the server, and edits its rules in the web
// interface. Each time, OX reads the whole script and writes all of it anew:
// rules with the tag line before them, disabled rules behind "#<!-->", one
// require command in the second line. Other comments and all layout are gone
// then. So what has to last is a rule with a tag, and what marks it as managed
// is a flag in the tag: [ManagedFlag] and one of the rule's own. By these
// flags alone a rule is found again, wherever the user has moved it and however
// it is printed.
//
// OX reads a part of Sieve only, and not every generation the same
// ([Generation]). The rest it shows as broken rules, drops without a word at the
// next save, or takes for something else; some of it makes the whole script
// unreadable for it ([Effect]). [Document.Upsert] refuses rules with any of that,
// and [Lint] says of any script what is.
//
// # What is remembered
//
// What an insertion changed beside its own lines stands in the flags of the
// inserted rule: "requiresfileinto" for an extension it added to the require
// command, "bracketed" where it made a list of a single string, "inline" where
// it broke a line in two, "headed" where it put a comment line before the script
// for OX to find the require command in line 2. [Document.Remove] undoes just that, and where another
// rule needs the extension now, leaves it.
package mailfilter
