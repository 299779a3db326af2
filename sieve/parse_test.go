package sieve_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/internal/servertest"
	"github.com/oxmailroute/oxmailroute/sieve"
	"github.com/oxmailroute/oxmailroute/sieve/internal/sievetest"
)

// parseCase is a script and whether it is one. Every case goes through sievec
// as well.
type parseCase struct {
	name string
	src  string
	// errs are the places of the errors ("line:column"); none means that the
	// script is good.
	errs []string
	// server is why Pigeonhole accepts what Parse doesn't; "" where they agree.
	server string
}

const (
	crashes   = "sievec crashes"
	ereLimits = "a regular expression that headers.CompileERE doesn't do"
)

func nested(n int, open, mid, end string) string {
	return strings.Repeat(open, n) + mid + strings.Repeat(end, n)
}

// bad is a list of one error position.
func bad(at ...string) []string { return at }

var parseCases = []parseCase{
	// Words and case.
	{name: "empty", src: ""},
	{name: "white space only", src: " \t\r\n\n"},
	{name: "commands in any case", src: "KEEP; Stop; dIscard;"},
	{name: "if in any case", src: "IF TRUE {} ElsIf False {} ELSE {}"},
	{name: "tags in any case", src: `if header :IS :Comparator "i;octet" "a" "b" {}`},
	{name: "comparator names in any case", src: `if header :comparator "I;OCTET" "a" "b" {}`},
	{name: "extension names in one case", src: `require "FILEINTO"; keep;`, errs: bad("1:9")},
	{name: "identifier of 32", src: strings.Repeat("a", 32) + ";", errs: bad("1:1")},
	{name: "identifier of 33", src: strings.Repeat("a", 33) + ";", errs: bad("1:1")},
	{name: "tag of 33", src: `if header :` + strings.Repeat("a", 33) + ` "a" "b" {}`, errs: bad("1:11")},
	{name: "underscore", src: "_keep;", errs: bad("1:1")},
	{name: "digit first", src: "9keep;", errs: bad("1:1")},
	{name: "digit last", src: "keep;9", errs: bad("1:6")},
	{name: "octets of no token", src: "keep; $%& keep;", errs: bad("1:7")},
	{name: "form feed", src: "keep;\fkeep;", errs: bad("1:6")},
	{name: "NUL", src: "keep; \x00", errs: bad("1:7")},
	{name: "byte order mark", src: "\xef\xbb\xbfkeep;", errs: bad("1:1")},
	{name: "CR as white space", src: "keep;\rkeep;\r\nkeep;"},
	{name: "space behind a colon", src: `if header : is "a" "b" {}`, errs: bad("1:11")},
	{name: "slash", src: "stop;/", errs: bad("1:6")},

	// Comments.
	{name: "hash comment", src: "# a\nkeep; # b\n"},
	{name: "hash comment at the end", src: "keep; # b"},
	{name: "hash comment with CR", src: "# a\rb\nkeep;"},
	{name: "hash comment that isn't UTF-8", src: "# \xf40\nkeep;"},
	{name: "hash comment with NUL", src: "# a \x00\nkeep;", errs: bad("1:5")},
	{name: "bracket comment", src: "keep/**/;/* a * / ** */"},
	{name: "bracket comment that opens twice", src: "keep/*/;*/;"},
	{name: "bracket comment over lines", src: "/*\n\n*/keep;"},
	{name: "open bracket comment", src: "stop;\n/* a", errs: bad("2:1")},
	{name: "bracket comment with NUL", src: "/* \x00 */ keep;", errs: bad("1:4")},
	{name: "comments everywhere", src: "if/**/header#x\n:is/**/\"a\"/**/[\"b\"/**/,/**/\"c\"]/**/{/**/}"},
	{name: "comment before else", src: "if true {} /* c */ # d\nelse {}"},

	// Numbers.
	{name: "quantifiers", src: "if size :over 1k {} if size :over 1K {} if size :over 1m {} if size :over 1M {} if size :over 1g {} if size :over 1G {}"},
	{name: "largest number", src: "if size :over 18446744073709551615 {}"},
	{name: "number too large", src: "if size :over 18446744073709551616 {}", errs: bad("1:15")},
	{name: "number much too large", src: "if size :over 99999999999999999999999999999 {}", errs: bad("1:15")},
	{name: "largest G", src: "if size :over 17179869183G {}"},
	{name: "G too large", src: "if size :over 17179869184G {}", errs: bad("1:15")},
	{name: "leading zeros", src: "if size :over 0010 {}"},
	{name: "two quantifiers", src: "if size :over 10kb {}", errs: bad("1:18")},
	{name: "quantifier apart", src: "if size :over 10 k {}", errs: bad("1:18")},
	{name: "negative", src: "if size :over -1 {}", errs: bad("1:15")},

	// Strings.
	{name: "escapes", src: `if header "a" "\a\"\\b@c" {}`},
	{name: "string over lines", src: "if header \"a\" \"b\nc\r\nd\" {}"},
	{name: "lone CR in a string", src: "redirect \"a\rb@c\";", errs: bad("1:12")},
	{name: "NUL in a string", src: "redirect \"a\x00@b\"; keep;", errs: bad("1:12")},
	{name: "open string", src: "redirect \"a@b;\nkeep;", errs: bad("1:10")},
	{name: "string that ends in a backslash", src: `redirect "a@b\";`, errs: bad("1:10")},
	{name: "string that is a backslash", src: `redirect "a@b\`, errs: bad("1:10")},
	{name: "octets over 127", src: "if header \"a\" \"\xff\xfe\" {}"},
	{name: "text", src: "require \"reject\"; reject text:\nhello\n..dot\n.x\n.\n;"},
	{name: "text with CRLF", src: "require \"reject\";\r\nreject TEXT: \t# c\r\nhello\r\n.\r\n;\r\n"},
	{name: "empty text", src: "require \"reject\"; reject text:\n.\n;"},
	{name: "text in a list", src: "if header \"a\" [text:\nx\n.\n, \"b\"] {}"},
	{name: "text with something behind", src: "require \"reject\"; reject text:x\nhello\n.\n;", errs: bad("1:31")},
	{name: "text with a space before the colon", src: "require \"reject\"; reject text :\nhello\n;", errs: bad("1:31")},
	{name: "text without end", src: "require \"reject\"; reject text:\nhello\n", errs: bad("1:26")},
	{name: "text with a dot at the end of the file", src: "require \"reject\"; reject text:\nhello\n.", errs: bad("1:26")},
	{name: "text without a line", src: "require \"reject\"; reject text:", errs: bad("1:26")},
	{name: "text with a comment only", src: "require \"reject\"; reject text: # x", errs: bad("1:26")},
	{name: "text with a lone CR", src: "require \"reject\"; reject text:\nhe\rllo\n.\n;", errs: bad("2:3")},
	{name: "text with NUL", src: "require \"reject\"; reject text:\nhe\x00llo\n.\n;", errs: bad("2:3")},
	{name: "text as a command", src: "text:\nfoo\n.\n;", errs: bad("1:1")},
	{name: "empty list", src: `if header [] "x" {}`, errs: bad("1:12")},
	{name: "list with a comma too many", src: `if header ["a",] "x" {}`, errs: bad("1:16")},
	{name: "list without a comma", src: `if header ["a" "b"] "x" {}`, errs: bad("1:16")},
	{name: "list of numbers", src: `if header [1] "x" {}`, errs: bad("1:12")},
	{name: "open list", src: `if header ["a"`, errs: bad("1:15")},

	// Structure.
	{name: "missing semicolon", src: "keep", errs: bad("1:5")},
	{name: "two semicolons", src: "keep;;", errs: bad("1:6")},
	{name: "semicolon behind a block", src: "if true {};", errs: bad("1:11")},
	{name: "block in a block", src: "if true {{}}", errs: bad("1:10")},
	{name: "open block", src: "if true { keep;", errs: bad("1:16")},
	{name: "block closed twice", src: "if true {}}", errs: bad("1:11")},
	{name: "block of a plain command", src: "keep {}", errs: bad("1:1")},
	{name: "if without a block", src: "if true;", errs: bad("1:1")},
	{name: "if without a test", src: "if {}", errs: bad("1:1")},
	{name: "if with a list", src: "if (true) {}", errs: bad("1:1")},
	{name: "if with a string", src: `if "x" true {}`, errs: bad("1:1")},
	{name: "if with a tag", src: `if :x true {}`, errs: bad("1:4")},
	{name: "else with a test", src: "if true {} else true {}", errs: bad("1:17")},
	{name: "else first", src: "else {}", errs: bad("1:1")},
	{name: "elsif first", src: "elsif true {}", errs: bad("1:1")},
	{name: "else after a command", src: "if true {} keep; else {}", errs: bad("1:18")},
	{name: "else after else", src: "if true {} else {} else {}", errs: bad("1:20")},
	{name: "elsif after else", src: "if true {} else {} elsif true {}", errs: bad("1:20")},
	{name: "not of a list", src: "if not (true) {}", errs: bad("1:4")},
	{name: "not of nothing", src: "if not {}", errs: bad("1:4")},
	{name: "not not", src: "if not not true {}"},
	{name: "anyof of one", src: "if anyof (true) {}"},
	{name: "anyof without parentheses", src: "if anyof true {}", errs: bad("1:4")},
	{name: "anyof of nothing", src: "if anyof () {}", errs: bad("1:11")},
	{name: "anyof with a comma too many", src: "if anyof (true,) {}", errs: bad("1:16")},
	{name: "allof of two", src: "if allof (true, false) {}"},
	{name: "allof with a string", src: `if allof "a" (true) {}`, errs: bad("1:4")},
	{name: "true with an argument", src: "if true 1 {}", errs: bad("1:4")},
	{name: "true with a test", src: "if true true {}", errs: bad("1:9")},
	{name: "a test as a command", src: "true;", errs: bad("1:1")},
	{name: "a command as a test", src: "if keep {}", errs: bad("1:4")},
	{name: "unknown command", src: "nonsense;", errs: bad("1:1")},
	{name: "unknown test", src: "if nonsense {}", errs: bad("1:4")},
	{name: "all errors at once", src: "keep 1;\nnonsense;\nif header \"a\" {}\nredirect \"a\";", errs: bad("1:1", "2:1", "3:4", "4:10")},
	{name: "all grammar errors at once", src: "keep\n if true { stop ] }\n;\nredirect [;\nkeep;", errs: bad("2:17", "3:1", "4:11")},
	{name: "blocks 31 deep", src: nested(31, "if true { ", "keep;", " }")},
	{name: "blocks 32 deep", src: nested(32, "if true { ", "keep;", " }"), errs: bad("1:319")},
	{name: "blocks 5000 deep", src: nested(5000, "if true { ", "keep;", " }"), errs: bad("1:319")},
	{name: "tests 31 deep", src: "if " + nested(30, "not ", "true", "") + "{}"},
	{name: "tests 32 deep", src: "if " + nested(31, "not ", "true", "") + "{}", errs: bad("1:128")},
	{name: "test lists 32 deep", src: "if " + nested(31, "anyof(", "true", ")") + "{}", errs: bad("1:190")},
	{name: "tests 5000 deep", src: "if " + nested(5000, "anyof(", "true", ")") + "{}", errs: bad("1:190")},
	{name: "32 arguments", src: "keep" + strings.Repeat(` "a"`, 32) + ";", errs: bad("1:1")},
	{name: "33 arguments", src: "keep" + strings.Repeat(` "a"`, 33) + ";", errs: bad("1:1")},
	{name: "1 MiB", src: "#" + strings.Repeat("x", 1<<20-7) + "\nkeep;"},
	{name: "more than 1 MiB", src: "#" + strings.Repeat("x", 1<<20-6) + "\nkeep;", errs: bad("1:1")},

	// require.
	{name: "require twice", src: `require "fileinto"; require ["fileinto", "fileinto"]; fileinto "a";`},
	{name: "require what is built in", src: `require ["comparator-i;octet", "comparator-i;ascii-casemap"];`},
	{name: "require what is not used", src: `require ["fileinto", "envelope", "copy", "mailbox"]; keep;`},
	{name: "require something unknown", src: `require ["fileinto", "nosuch"];`, errs: bad("1:22")},
	{name: "require nothing", src: "require [];", errs: bad("1:10")},
	{name: "require the empty name", src: `require "";`, errs: bad("1:9")},
	{name: "require a number", src: "require 1;", errs: bad("1:9")},
	{name: "require two arguments", src: `require "fileinto" "copy";`, errs: bad("1:1")},
	{name: "require with a block", src: `require "fileinto" {}`, errs: bad("1:1")},
	{name: "require with a test", src: `require "fileinto" true;`, errs: bad("1:20")},
	{name: "require too late", src: `keep; require "fileinto";`, errs: bad("1:7")},
	{name: "require in a block", src: `if true { require "fileinto"; }`, errs: bad("1:11")},
	{name: "require behind a comment", src: "# a\n/* b */ require \"fileinto\"; # c\n# d\nrequire \"copy\"; fileinto :copy \"a\";"},
	{name: "fileinto without require", src: `fileinto "a";`, errs: bad("1:1")},
	{name: "envelope without require", src: `if envelope "from" "a" {}`, errs: bad("1:4")},
	{name: "copy without require", src: `redirect :copy "a@b";`, errs: bad("1:10")},
	{name: "create without require", src: `require "fileinto"; fileinto :create "a";`, errs: bad("1:30")},
	{name: "mailboxexists without require", src: `if mailboxexists "a" {}`, errs: bad("1:4")},
	{name: "regex without require", src: `if header :regex "a" "b" {}`, errs: bad("1:11")},
	{name: "count without require", src: `if header :count "ge" "a" "1" {}`, errs: bad("1:11")},
	{name: "numeric without require", src: `if header :comparator "i;ascii-numeric" "a" "1" {}`, errs: bad("1:23")},
	{name: "vacation without require", src: `vacation "a";`, errs: bad("1:1")},
	{name: "reject without require", src: `reject "a";`, errs: bad("1:1")},
	{name: "addflag without require", src: `addflag "a";`, errs: bad("1:1")},
	{name: "flags without require", src: `keep :flags "a";`, errs: bad("1:6")},
	{name: "mime without require", src: `if header :mime "Content-Type" "a" {}`, errs: bad("1:11")},
	{name: "variables", src: `require "variables"; set "a" "b";`},
	{name: "body", src: `require "body"; keep;`},
	{name: "ereject", src: `require "ereject"; ereject "a";`, errs: bad("1:9", "1:20")},
	{name: "vacation-seconds", src: `require "vacation-seconds"; keep;`},

	// Tests that compare.
	{name: "header", src: `if header ["a", "b"] ["c", "d"] {}`},
	{name: "header with strange names", src: `if header ["", "a b", "a:", "ü"] "x" {}`},
	{name: "two match types", src: `if header :is :contains "a" "b" {}`, errs: bad("1:15")},
	{name: "a tag twice", src: `if header :is :is "a" "b" {}`, errs: bad("1:15")},
	{name: "a tag behind an argument", src: `if header "a" :is "b" {}`, errs: bad("1:15")},
	{name: "one argument", src: `if header "a" {}`, errs: bad("1:4")},
	{name: "a number for a list", src: `if header 1 "b" {}`, errs: bad("1:11")},
	{name: "an unknown comparator", src: `if header :comparator "i;nosuch" "a" "b" {}`, errs: bad("1:23")},
	{name: "a list for a comparator", src: `if header :comparator ["i;octet"] "a" "b" {}`, errs: bad("1:23")},
	{name: "no comparator", src: `if header :comparator :is "a" "b" {}`, errs: bad("1:23")},
	{name: "nothing behind comparator", src: `if header :comparator {}`, errs: bad("1:11")},
	{name: "numeric", src: `require "comparator-i;ascii-numeric"; if header :comparator "i;ascii-numeric" "a" "1" {}`},
	{name: "numeric contains", src: `require "comparator-i;ascii-numeric"; if header :contains :comparator "i;ascii-numeric" "a" "1" {}`,
		errs: bad("1:42")},
	{name: "numeric matches", src: `require "comparator-i;ascii-numeric"; if header :comparator "i;ascii-numeric" :matches "a" "1" {}`,
		errs: bad("1:42")},
	{name: "numeric regex", src: `require ["regex", "comparator-i;ascii-numeric"]; if header :regex :comparator "i;ascii-numeric" "a" "1" {}`,
		errs: bad("1:53")},
	{name: "count", src: `require "relational"; if header :count "ge" "a" "1" {}`},
	{name: "value", src: `require "relational"; if header :value "eq" :comparator "i;octet" "a" ["1", "2"] {}`},
	{name: "an unknown relation", src: `require "relational"; if header :value "foo" "a" "1" {}`, errs: bad("1:40")},
	{name: "a relation in upper case", src: `require "relational"; if header :value "GE" "a" "1" {}`, errs: bad("1:40")},
	{name: "a list of relations", src: `require "relational"; if header :count ["ge"] "a" "1" {}`, errs: bad("1:40")},
	{name: "no relation", src: `require "relational"; if header :count :is "a" "1" {}`, errs: bad("1:40")},
	{name: "regex", src: `require "regex"; if header :regex "a" ["b.*[[:digit:]]+", "^c|d$"] {}`},
	{name: "broken regex", src: `require "regex"; if header :regex "a" ["b", "a("] {}`, errs: bad("1:45")},
	{name: "regex that repeats nothing", src: `require "regex"; if header :regex "a" "*a" {}`, errs: bad("1:39")},
	{name: "regex class", src: `require "regex"; if header :regex "a" "[[:foo:]]" {}`, errs: bad("1:39")},
	{name: "regex back-reference", src: `require "regex"; if header :regex "a" "(a)\\1" {}`, errs: bad("1:39"), server: ereLimits},
	{name: "exists", src: `if exists ["a", "b"] {}`},
	{name: "exists with a tag", src: `if exists :is "a" {}`, errs: bad("1:11")},
	{name: "exists with two arguments", src: `if exists "a" "b" {}`, errs: bad("1:4")},
	{name: "address fields", src: `if address ["FROM", "to", "cc", "bcc", "sender", "reply-to", "resent-from", "resent-to", "resent-cc", "resent-bcc",
		"resent-sender", "resent-reply-to", "delivered-to", "x-original-to", "errors-to", "mail-reply-to", "mail-followup-to",
		"apparently-to", "for-approval", "for-comment", "for-handling", "abuse-reports-to", "return-receipt-to", "x-beenthere"] "x" {}`},
	{name: "no address fields", src: "if address [\"Subject\",\n\"From\",\n\"Return-Path\"] \"x\" {}", errs: bad("1:13", "3:1")},
	{name: "address parts", src: `if anyof (address :all "from" "a", address :LocalPart "from" "a", address :domain "from" "a") {}`},
	{name: "two address parts", src: `if address :all :domain "from" "a" {}`, errs: bad("1:17")},
	{name: "an unknown address part", src: `if address :user "from" "a" {}`, errs: bad("1:12")},
	{name: "envelope", src: `require "envelope"; if envelope :domain :is ["FROM", "To"] "a" {}`},
	{name: "an unknown envelope part", src: `require "envelope"; if envelope ["from", "nosuch"] "a" {}`, errs: bad("1:42")},
	{name: "envelope auth", src: `require "envelope"; if envelope "auth" "a" {}`},
	{name: "size without a tag", src: "if size 10 {}", errs: bad("1:4")},
	{name: "size with both tags", src: "if size :over :under 10 {}", errs: bad("1:15")},
	{name: "size with a string", src: `if size :over "10" {}`, errs: bad("1:15")},
	{name: "size with the tag behind", src: "if size 10 :over {}", errs: bad("1:12")},
	{name: "mailboxexists", src: `require "mailbox"; if mailboxexists ["a", ""] {}`},
	{name: "mailboxexists with a tag", src: `require "mailbox"; if mailboxexists :create "a" {}`, errs: bad("1:37")},
	{name: "hasflag", src: `require "imap4flags"; if hasflag :contains ["a", "\\Seen b"] {}`},
	{name: "hasflag with a variable", src: `require "imap4flags"; if hasflag "a" "b" {}`, errs: bad("1:34")},
	{name: "hasflag without flags", src: `require "imap4flags"; if hasflag {}`, errs: bad("1:26"), server: crashes},
	{name: "mime", src: `require "mime"; if header :mime :anychild :contenttype :is "Content-Type" "text/calendar" {}`},
	{name: "mime at the top", src: `require "mime"; if header :mime :contenttype "content-type" ["text/calendar", "application/ics"] {}`},
	{name: "anychild without mime", src: `require "mime"; if header :anychild :contenttype "Content-Type" "a/b" {}`,
		errs: bad("1:27", "1:37")},
	{name: "contenttype without mime", src: `require "mime"; if header :contenttype "Content-Type" "a/b" {}`, errs: bad("1:27")},
	{name: "mime of another field", src: `require "mime"; if header :mime :anychild "Subject" "a" {}`},
	{name: "mime contains", src: `require "mime"; if header :mime :contenttype :contains "Content-Type" "a" {}`},
	{name: "mime with a key without subtype", src: `require "mime"; if header :mime :contenttype "Content-Type" "text" {}`},
	{name: "mime type", src: `require "mime"; if header :mime :type "Content-Type" "text" {}`},
	{name: "mime exists", src: `require "mime"; if exists :mime :anychild "Content-Type" {}`},

	// Commands.
	{name: "keep with an argument", src: `keep "a";`, errs: bad("1:1")},
	{name: "keep with a tag", src: `keep :a;`, errs: bad("1:6")},
	{name: "stop with a test", src: `stop true;`, errs: bad("1:6")},
	{name: "discard with an argument", src: `discard "x";`, errs: bad("1:1")},
	{name: "keep and flags", src: `require "imap4flags"; keep :flags ["\\Seen $a", "b"];`},
	{name: "fileinto", src: `require ["fileinto", "copy", "mailbox", "imap4flags"]; fileinto :copy :create :flags "a" "b";`},
	{name: "fileinto names", src: `require "fileinto"; fileinto ""; fileinto "/a"; fileinto "../b"; fileinto "a//b"; fileinto "ü"; fileinto "a
b";`},
	{name: "fileinto a name that isn't UTF-8", src: "require \"fileinto\"; fileinto \"\xff\";", errs: bad("1:30")},
	{name: "fileinto two names", src: `require "fileinto"; fileinto "a" "b";`, errs: bad("1:21")},
	{name: "fileinto a list", src: `require "fileinto"; fileinto ["a"];`, errs: bad("1:30")},
	{name: "fileinto with a tag behind", src: `require ["fileinto", "copy"]; fileinto "a" :copy;`, errs: bad("1:44")},
	{name: "fileinto with a tag twice", src: `require ["fileinto", "copy"]; fileinto :copy :copy "a";`, errs: bad("1:46")},
	{name: "redirect", src: `require "copy"; redirect :copy "a@b"; redirect "A B <a@b>"; redirect "<a@b>"; redirect " a@b ";`},
	{name: "redirect a list", src: `redirect ["a@b"];`, errs: bad("1:10")},
	{name: "redirect nowhere", src: `redirect "";`, errs: bad("1:10")},
	{name: "redirect without a domain", src: `redirect "a";`, errs: bad("1:10")},
	{name: "redirect to two", src: `redirect "a@b, c@d";`, errs: bad("1:10")},
	{name: "reject", src: `require "reject"; reject ""; reject "a";`},
	{name: "reject a list", src: `require "reject"; reject ["a"];`, errs: bad("1:26")},
	{name: "reject with a tag", src: `require "reject"; reject :x "a";`, errs: bad("1:26")},
	{name: "vacation", src: `require "vacation"; vacation :days 7 :subject "s" :from "A <a@b>" :addresses ["c@d", "e@f"] :mime :handle "h" "x";`},
	{name: "vacation with anything for addresses",
		src: `require "vacation"; vacation :addresses ["nobody", ""] :subject "" :handle "" :days 0 "";`},
	{name: "vacation for more than a month", src: `require "vacation"; vacation :days 500 "x";`},
	{name: "vacation with days as a string", src: `require "vacation"; vacation :days "7" "x";`, errs: bad("1:36")},
	{name: "vacation with seconds", src: `require "vacation"; vacation :seconds 7 "x";`, errs: bad("1:30")},
	{name: "vacation from nobody", src: `require "vacation"; vacation :from "nobody" "x";`, errs: bad("1:36")},
	{name: "vacation from nowhere", src: `require "vacation"; vacation :from "" "x";`, errs: bad("1:36")},
	{name: "vacation with two subjects", src: `require "vacation"; vacation :subject "a" :subject "b" "x";`, errs: bad("1:43")},
	{name: "vacation with a list of subjects", src: `require "vacation"; vacation :subject ["a"] "x";`, errs: bad("1:39")},
	{name: "vacation with a tag behind", src: `require "vacation"; vacation "x" :days 7;`, errs: bad("1:34")},
	{name: "vacation without a reason", src: `require "vacation"; vacation;`, errs: bad("1:21")},
	{name: "vacation with a list", src: `require "vacation"; vacation ["x"];`, errs: bad("1:30")},
	{name: "flags", src: `require "imap4flags"; addflag "a"; setflag ["a b", "\\Seen"]; removeflag ""; addflag ["\\Nope", "a(b"];`},
	{name: "flags with a variable", src: `require "imap4flags"; addflag "a" "b";`, errs: bad("1:31")},
	{name: "no flags", src: `require "imap4flags"; addflag;`, errs: bad("1:23")},

	// encoded-character.
	{name: "encoded", src: `require "encoded-character"; redirect "a${hex:40}b"; redirect "a${unicode:40}b"; redirect "a${HEX: 40  62 }b";`},
	{name: "encoded by part of a word",
		src: `require "encoded-character"; redirect "a${h:40}b"; redirect "a${:40}b"; redirect "a${uni:40}b";`},
	{name: "encoded without require", src: `redirect "a${hex:40}b";`, errs: bad("1:10")},
	{name: "encoded wrongly", src: `require "encoded-character"; redirect "a${hex:404}b";`, errs: bad("1:39")},
	{name: "encoded nothing", src: `require "encoded-character"; redirect "a${hex:}b";`, errs: bad("1:39")},
	{name: "encoded surrogate", src: `require "encoded-character"; if header "a" "${unicode:D800}" {}`, errs: bad("1:44")},
	{name: "encoded number without a character", src: `require "encoded-character"; if header "a" "${unicode:110000}" {}`, errs: bad("1:44")},
	{name: "encoded number that is not closed", src: `require "encoded-character"; if header "a" "${unicode:110000" {}`},
	{name: "encoded NUL", src: `require "encoded-character"; if header "a" "${hex:00}" {}`},
	{name: "encoded comparator", src: `require "encoded-character"; if header :comparator "i;oct${hex:65}t" "a" "b" {}`},
	{name: "encoded field name", src: `require "encoded-character"; if address "fr${hex:6f}m" "b" {}`},
	{name: "encoded relation", src: `require ["encoded-character", "relational"]; if header :count "g${hex:65}" "a" "1" {}`,
		errs: bad("1:63")},
	{name: "encoded require", src: `require "encoded-character"; require "fil${hex:65}into";`, errs: bad("1:38")},

	// What Pigeonhole doesn't look at.
	{name: "if false", src: "if false { nonsense; }"},
	{name: "behind if true", src: "if true {} elsif nonsense {}"},
	{name: "else of if true", src: "if true {} else { nonsense; }"},
	{name: "behind true in anyof", src: "if anyof (true, nonsense) {}"},
	{name: "behind stop", src: "stop; nonsense;", errs: bad("1:7")},
}

// places returns the positions of the errors.
func places(err error) []string {
	var list sieve.Errors
	errors.As(err, &list)
	var out []string
	for _, e := range list {
		out = append(out, fmt.Sprintf("%d:%d", e.Line, e.Column))
	}
	return out
}

func TestParse(t *testing.T) {
	for _, tt := range parseCases {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sieve.ParseFor("test", []byte(tt.src), sievetest.ServerExtensions)
			if diff := cmp.Diff(tt.errs, places(err)); diff != "" {
				t.Errorf("places of errors (-want +got):\n%s\n%v", diff, err)
			}
			if err == nil {
				checkRoundTrip(t, s)
			}
		})
	}
}

// TestParseServer holds every case of the table against sievec.
func TestParseServer(t *testing.T) {
	o := sievetest.NewOracle(t)
	var taken [][]byte
	var others []parseCase
	for _, tt := range parseCases {
		if tt.server != crashes && (tt.server != "" || tt.errs == nil) {
			taken = append(taken, []byte(tt.src))
		} else {
			others = append(others, tt)
		}
	}
	cases := servertest.Part(t, others, 20)
	if !o.AcceptsAll(t, taken...) {
		cases = parseCases // one of them tells which
	}
	t.Logf("%d together, %d of %d others alone", len(taken), len(cases), len(others))
	for _, tt := range cases {
		t.Run(tt.name, func(t *testing.T) {
			got, text, lines := o.Compile(t, []byte(tt.src))
			want := sievetest.Rejected
			switch {
			case tt.server == crashes:
				want = sievetest.Crashed
			case tt.server != "" || tt.errs == nil:
				want = sievetest.Accepted
			}
			if got != want {
				t.Fatalf("sievec: %s, want %s\n%s", got, want, text)
			}
			if got == sievetest.Rejected {
				compareLines(t, tt, lines, text)
			}
		})
	}
}

// compareLines checks that the first line with an error is the same.
func compareLines(t *testing.T, tt parseCase, lines []int, text string) {
	if len(lines) == 0 {
		return // an error of the whole script
	}
	var own int
	fmt.Sscanf(tt.errs[0], "%d", &own)
	// An open string or text is reported where it begins; Pigeonhole does it
	// where the script ends, and names the line where it begins in the text.
	if !slices.Contains(lines, own) && !strings.Contains(text, "end of file") {
		t.Errorf("sievec has errors in lines %v, Parse in %v", lines, tt.errs)
	}
}

// checkRoundTrip checks that the printed script is the same script, and prints
// to itself.
func checkRoundTrip(t *testing.T, s *sieve.Script) {
	t.Helper()
	text := s.Format()
	if len(text) > sieve.MaxScriptSize {
		return
	}
	back, err := sieve.Parse("format", text)
	if err != nil {
		t.Fatalf("printed script: %v\n%s", err, text)
	}
	// cmp.Diff needs time that doubles with every level of nesting.
	if !reflect.DeepEqual(s.Commands, back.Commands) {
		t.Errorf("after printing (-want +got):\n%s\n%s", cmp.Diff(s.Commands, back.Commands), text)
	}
	if back.Extensions != s.Extensions {
		t.Errorf("after printing extensions %q, want %q\n%s", back.Extensions, s.Extensions, text)
	}
	if diff := cmp.Diff(s.PrintedLines(), back.Lines); diff != "" {
		t.Errorf("lines (-printed +parsed):\n%s\n%s", diff, text)
	}
	if again := back.Format(); string(again) != string(text) {
		t.Errorf("printing again (-first +second):\n%s", cmp.Diff(string(text), string(again)))
	}
}

// TestParseDebian13 has what the later server knows.
func TestParseDebian13(t *testing.T) {
	for _, tt := range []struct {
		src        string
		old, later []string // errors
	}{
		{`require "comparator-i;unicode-casemap"; if header :contains :comparator "i;unicode-casemap" "a" "b" {}`, bad("1:9", "1:73"), nil},
		{`require ["regex", "comparator-i;unicode-casemap"]; if header :regex :comparator "i;unicode-casemap" "a" "b" {}`, bad("1:19", "1:81"),
			bad("1:55")},
		{`require ["include", "variables"]; import "a"; export "b";`, nil, bad("1:35", "1:47")},
		{`require ["regex", "variables"]; set :quoteregex "a" "b";`, bad("1:37"), bad("1:37")},
	} {
		_, err := sieve.ParseFor("", []byte(tt.src), sieve.Debian12)
		if diff := cmp.Diff(tt.old, places(err)); diff != "" {
			t.Errorf("Debian 12: %s\n%s\n%v", tt.src, diff, err)
		}
		_, err = sieve.ParseFor("", []byte(tt.src), sieve.Debian13)
		if diff := cmp.Diff(tt.later, places(err)); diff != "" {
			t.Errorf("Debian 13: %s\n%s\n%v", tt.src, diff, err)
		}
	}
}

func TestParseTooManyErrors(t *testing.T) {
	_, err := sieve.Parse("x", []byte(strings.Repeat("nonsense;\n", 1000)))
	if n := len(places(err)); n != sieve.MaxErrors+1 {
		t.Errorf("%d errors, want %d", n, sieve.MaxErrors+1)
	}
}

func TestErrorText(t *testing.T) {
	_, err := sieve.Parse("user.sieve", []byte("keep;\n  require \"variables\";\nnonsense \"a\";"))
	if !errors.Is(err, sieve.ErrUnsupported) {
		t.Errorf("%v is not ErrUnsupported", err)
	}
	var one *sieve.Error
	if !errors.As(err, &one) || one.Line != 2 || one.Column != 3 || one.File != "user.sieve" {
		t.Errorf("first error %+v", one)
	}
	want := "user.sieve:2:3: require must stand at the top of the script, before all other commands\n" +
		`user.sieve:3:1: unknown command "nonsense", or of an extension that is not supported`
	if diff := cmp.Diff(want, err.Error()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := (sieve.Errors)(nil).Err(); err != nil {
		t.Errorf("empty list: %v", err)
	}
}
