package mailfilter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/oxmailroute/oxmailroute/sieve/mailfilter"
)

// read is what becomes of a construct: "" where OX reads and keeps it.
type read struct{ construct, older, ox8 string }

// inIf is the script in which a test stands, and inBlock that of an action.
func inIf(test string) string      { return "if " + test + " { stop; }" }
func inBlock(action string) string { return "if true { " + action + " }" }

// readTests say what the generations do with a test, by the tables of their
// sources.
var readTests = []read{
	{`address :is "from" "a@b.test"`, "", ""},
	{`address :user "from" "a"`, "", ""},
	{`address :detail :contains "from" "a"`, "", ""},
	{`envelope :domain :matches "from" "*"`, "", ""},
	{`envelope :user "from" "a"`, "broken", ""},
	{`envelope :detail "from" "a"`, "broken", ""},
	{`header :contains ["subject", "x"] ["a", "b"]`, "", ""},
	{`header :regex "subject" "a"`, "", ""},
	{`header "subject" "a"`, "", ""},
	{`header :comparator "i;octet" "subject" "a"`, "broken", "broken"},
	{`header :count "gt" "subject" "1"`, "broken", "broken"},
	{`header :value "gt" "subject" "1"`, "broken", "broken"},
	{`header :index 1 "subject" "1"`, "broken", "broken"},
	{`HEADER :is "a" "b"`, "broken", "broken"},
	{`header :IS "a" "b"`, "broken", "broken"},
	{`NOT true`, "broken", "broken"},
	{`not true`, "", ""},
	{`not not header "a" "b"`, "", ""},
	{`allof (true, anyof (false, not header "a" "b"))`, "", ""},
	{`AllOf (true)`, "broken", "broken"},
	{`allof (true, exists "a")`, "broken", ""},
	{`exists "a"`, "broken", ""},
	{`exists ["a", "b"]`, "broken", ""},
	{`size :over 100K`, "", ""},
	{`size :over 100k`, "broken", "broken"},
	{`size :under 1m`, "broken", "broken"},
	{`size :under 102400`, "", ""},
	{`size :OVER 1`, "broken", "broken"},
	{`size :over 2147483647`, "", ""},
	{`size :over 2147483648`, "unreadable", "unreadable"},
	{`size :over 2G`, "altered", "altered"},
	{`size :over 1G`, "", ""},
	{`body :contains "a"`, "", ""},
	{`body :text :contains "a"`, "", ""},
	{`body :raw :contains "a"`, "broken", "broken"},
	{`body :content "text" :contains "a"`, "broken", "broken"},
	{`currentdate :is "date" "2026-01-01"`, "", ""},
	{`currentdate :value "ge" "date" "2026-01-01"`, "", ""},
	{`currentdate :matches "date" "2026-*"`, "", "broken"},
	{`currentdate :contains "date" "2026"`, "", "broken"},
	{`currentdate :regex "date" "2026"`, "broken", "broken"},
	{`currentdate :zone "+0100" :is "hour" "10"`, "broken", ""},
	{`currentdate :originalzone :is "hour" "10"`, "broken", "broken"},
	{`date :is "date" "hour" "10"`, "broken", ""},
	{`date :originalzone :value "ge" "date" "hour" "10"`, "broken", ""},
	{`date :matches "date" "hour" "1*"`, "broken", "broken"},
	// Older OX reads it, and doesn't know what it needs to be required.
	{`hasflag "\\Seen"`, "altered", ""},
	{`hasflag :contains "a" "b"`, "altered", ""},
	{`allof (hasflag "a", true)`, "altered", ""},
	{`string :is "a" "b"`, "broken", ""},
	{`environment "domain" "x"`, "broken", "broken"},
	{`valid_notify_method "mailto:a@b.test"`, "broken", "broken"},
	{`header :is "a" "b\c"`, "altered", "altered"},
	{`header :is "a" "b\\c"`, "", ""},
	{`header :is "a" "b\"c"`, "", ""},
	{`header :is "a" "b\\\"c"`, "", ""},
	{`header :is "a" "\users"`, "unreadable", "unreadable"},
	{`header :is "a" "\\users"`, "", ""},
	{`header :is "a" "\\\users"`, "unreadable", "unreadable"},
	{`header :is "a" "\u0041bc"`, "altered", "altered"},
	{`header :is "a" ["b\\", "c"]`, "swallowed", "swallowed"},
	{`header :is "a" "b\\"`, "", ""},
	{`allof (header :is "a" "b\\", header :is "c" "d")`, "swallowed", "swallowed"},
}

// readActions say it of actions.
var readActions = []read{
	{`keep;`, "", ""},
	{`discard;`, "", ""},
	{`stop;`, "", ""},
	{`Keep;`, "dropped", "dropped"},
	{`Discard;`, "dropped", "dropped"},
	{`STOP;`, "dropped", "dropped"},
	{`keep :flags "a";`, "broken", "broken"},
	{`fileinto "a";`, "", ""},
	{`FileInto "a";`, "dropped", "dropped"},
	{`fileinto ["a"];`, "", ""},
	{`fileinto :copy "a";`, "broken", ""},
	{`fileinto :create "a";`, "broken", "broken"},
	{`fileinto :flags "a" "b";`, "broken", "broken"},
	{`redirect "a@b.test";`, "", ""},
	{`redirect :copy "a@b.test";`, "", ""},
	{`redirect :Copy "a@b.test";`, "broken", "broken"},
	{`reject "no";`, "", ""},
	{`ereject "no";`, "dropped", "dropped"},
	{`vacation "x";`, "broken", "broken"},
	{`vacation :days 7 "x";`, "", ""},
	{`vacation :days 7 :addresses ["a@b.test", "c@d.test"] :subject "s" :from "a@b.test" "x";`, "", ""},
	{`vacation :handle "h" "x";`, "broken", "broken"},
	{`vacation :mime :days 1 "x";`, "broken", "broken"},
	{`vacation :seconds 60 "x";`, "broken", "broken"},
	{`notify "mailto:a@b.test";`, "broken", "broken"},
	{`notify :message "m" "mailto:a@b.test";`, "", ""},
	{`notify :importance "1" "mailto:a@b.test";`, "broken", "broken"},
	{`addflag "\\Seen";`, "", ""},
	{`removeflag ["a", "b"];`, "", ""},
	{`setflag "\\Seen";`, "dropped", ""},
	{`addheader :last "X-A" "b";`, "", ""},
	{`deleteheader "X-A";`, "", ""},
	{`deleteheader :index 1 "X-A";`, "broken", "broken"},
	{`deleteheader :is "X-A" "b";`, "broken", "broken"},
	{`set "a" "b";`, "", ""},
	{`set :lower "a" "b";`, "broken", "broken"},
	{`set :upperfirst "a" "b";`, "broken", "broken"},
	{`set :length "a" "b";`, "broken", "broken"},
	{`set :quotewildcard "a" "b";`, "broken", "broken"},
	{`filter "x";`, "dropped", ""},
	{`pgp_encrypt :keys "k";`, "", ""},
	{`denotify;`, "dropped", "dropped"},
	{`if true { stop; }`, "broken", "broken"},
	{`If true { stop; }`, "dropped", "broken"},
	{`addflag "a"; fileinto "b";`, "", ""},
	{`fileinto "b"; addflag "a";`, "altered", "altered"},
	{`fileinto "b"; stop; deleteheader "X-A";`, "altered", "altered"},
	{`fileinto "b"; removeflag "a";`, "", "altered"},
	{`fileinto "b"; keep; stop;`, "", ""},
	{"vacation :days 1 text:\nI am away.\n.\n;", "", ""},
	{"vacation :days 1 TEXT:\nI am away.\n.\n;", "unreadable", "unreadable"},
	{"vacation :days 1 text:\nI am away.\n..dot\n.\n;", "altered", "altered"},
	{"vacation :days 1 text:\nC:\\\\x\n.\n;", "altered", "altered"},
	{"vacation :days 1 text:\n.\n;", "unreadable", "unreadable"},
	{"vacation :days 1 text: # why\nI am away.\n.\n;", "", ""},
	{"vacation :days 1 \"I am\naway.\n..dot\n.\n\";", "", ""},
	{"vacation :days 1 text:\nA\n.\n; reject text:\nB\n.\n;", "swallowed", "swallowed"},
	{"vacation :days 1 text:\nA\n.\n; reject \"B\n.\n\";", "swallowed", "swallowed"},
}

// worst is the worst effect of the generation on a script.
func worst(t *testing.T, src string, ox mailfilter.Generation) string {
	t.Helper()
	problems, err := mailfilter.Lint("", []byte(src), ox)
	if err != nil {
		return "-"
	}
	effect := mailfilter.Odd
	for _, p := range problems {
		effect = max(effect, p.Effect)
		if p.Line < 1 || p.Column < 1 || p.Text == "" || p.Fix == "" || strings.Contains(p.Text, "{OX}") {
			t.Errorf("%q: a problem without place, text or fix: %+v", src, p)
		}
	}
	if effect == mailfilter.Odd {
		return ""
	}
	return effect.String()
}

// every is what is left of two effects for [mailfilter.EveryOX]: the worse.
func every(a, b string) string {
	order := []string{"", "odd", "broken", "altered", "dropped", "swallowed", "unreadable"}
	if slices.Index(order, a) > slices.Index(order, b) {
		return a
	}
	return b
}

// oxFrame is a script as OX writes it, with one rule.
func oxFrame(rule string) string {
	return strings.ReplaceAll("# Generated by OX Sieve Bundle on Tue Mar 03 14:05:09 CET 2026\n"+
		`require [ "fileinto" , "copy" , "envelope" , "body" , "date" , "relational" , "regex" , "subaddress" , "imap4flags" , "variables" , "editheader" , "enotify" , "vacation" , "reject" ];`+
		"\n\n## Flag: |UniqueId:1|Rulename: one\n"+rule+"\n", "\n", "\r\n")
}

func TestReadable(t *testing.T) {
	check := func(c read, src string) {
		for _, g := range []struct {
			ox   mailfilter.Generation
			want string
		}{{mailfilter.OlderOX, c.older}, {mailfilter.OX8, c.ox8}, {mailfilter.EveryOX, every(c.older, c.ox8)}} {
			if got := worst(t, src, g.ox); got != g.want {
				t.Errorf("%s: generation %q: %q, want %q", c.construct, g.ox, got, g.want)
			}
		}
	}
	for _, c := range readTests {
		check(c, oxFrame(inIf(c.construct)))
	}
	for _, c := range readActions {
		check(c, oxFrame(inBlock(c.construct)))
	}
}

// wholeScripts are what lint says of whole scripts, with \n for CRLF, by
// generation.
var wholeScripts = []struct {
	name, src string
	ox        mailfilter.Generation
	want      []string
}{
	{"elsif and else", "if false { stop; }\nelsif true { keep; }\nelse { stop; }\n", mailfilter.EveryOX, []string{
		`2:1: OX can't read elsif: make it a rule of its own`,
		`3:1: OX can't read else: make it a rule of its own`,
	}},
	{"tags that OX writes before elsif",
		"## Flag: |UniqueId:0|Rulename: a\nif false { stop; }\n## Flag: |UniqueId:1|Rulename: b\nelsif true { keep; }\n", mailfilter.OX8,
		[]string{
			`4:1: rule "a": OX 8 can't read elsif: make it a rule of its own`,
		}},
	{"lines that are shared with what is broken", "if false { stop; } else { keep; }\n", mailfilter.OX8, []string{
		`1:20: OX 8 can't read else: make it a rule of its own`,
		`1:20: OX 8 keeps whole lines of what it can't read, and doubles what else stands on them: give each a line of its own`,
	}},
	{"names of control commands", "If true { keep; }\n", mailfilter.OX8, nil},
	{"names of control commands, older", "If true { keep; }\n", mailfilter.OlderOX, []string{
		`1:1: older OX doesn't know the command If and drops it when a user saves: write "if"`,
	}},
	{"require in line 1", "require \"fileinto\";\nfileinto \"a\";\n", mailfilter.OlderOX, nil},
	{"require in line 1, OX 8", "require \"fileinto\";\nfileinto \"a\";\n", mailfilter.OX8, []string{
		`1:1: OX 8 looks for the require command at the start of line 2, and forgets what stands elsewhere as far as it doesn't miss it itself: put it there, behind one comment line`,
	}},
	{"require in line 2", "# x\nrequire \"fileinto\";\nfileinto \"a\";\n", mailfilter.EveryOX, nil},
	{"two require commands", "# x\nrequire \"fileinto\";\nrequire [\n\"copy\"];\nfileinto \"a\"; redirect :copy \"a@b.test\";\n",
		mailfilter.EveryOX, []string{
			`3:1: OX 8 forgets what a second require command has, as far as it doesn't miss it itself: put all extensions into the first`,
			`5:15: OX 8 leaves the extension "copy", which the rule needs, out of the require command when a user saves: see that it stands in line 2, and is one that OX knows`,
		}},
	{"an entry that nobody keeps", "# x\nrequire [\"variables\", \"comparator-i;ascii-numeric\", \"fileinto\"];\nfileinto \"${a}\";\n",
		mailfilter.EveryOX, []string{
			`3:1: older OX leaves the extension "variables", which the rule needs, out of the require command when a user saves: see that it stands in line 2, and is one that OX knows`,
		}},
	{"not required", "# x\nrequire \"copy\";\nfileinto \"a\";\nereject \"b\";\n", mailfilter.OX8, []string{
		`3:1: the rule needs the extension "fileinto", which the script doesn't require: no server runs the script, until OX 8 adds the entry when a user saves: add "fileinto", or take the rule out`,
		`4:1: OX 8 doesn't know the command ereject and drops it when a user saves: leave it out of users' scripts`,
		`4:1: the rule needs the extension "ereject", which the script doesn't require: no server runs the script: add "ereject", or take the rule out`,
	}},
	{"OX 8's tags and disabled rules",
		"## Flag: |UniqueId:0|Rulename: a|LastModified: 2023-07-26T12:08:32Z|ModifiedBy: 172.18.0.4\n#<!-->if true\n#<!-->{\n#<!-->    stop ;\n#<!-->}\n#<!-->\nkeep;\n", mailfilter.EveryOX, nil},
	{"dates that are none", "## Flag: |UniqueId:0|Rulename: a|LastModified: 2023-99-26T12:08:32Z|ModifiedBy: 172.18.0.4\nkeep;\n## Flag: |UniqueId:1|Rulename: b|LastModified: 2023-07-26T12:08:32Z|ModifiedBy: ::1\nkeep;\n", mailfilter.EveryOX, []string{
		`1:1: rule "a": OX 8 fails at the date 2023-99-26T12:08:32Z: take it out of the tag`,
		`3:1: rule "b": OX 8 takes |LastModified for a part of the name, where ModifiedBy is no IPv4 address: take it out of the tag`,
	}},
	{"tags", "## Flag: my-flag|UniqueId:1|Rulename: one\nkeep;\n## Flag: a, b|UniqueId:1|Rulename: two\nkeep;\n##  Flag: |UniqueId:2|Rulename: no tag\nkeep; ## Flag: |UniqueId:3|Rulename: three\nkeep;\n" +
		"## Flag:a|UniqueId:4|Rulename: four\nkeep;\n## Flag: |UniqueId:9999999999|Rulename: left over\n", mailfilter.EveryOX, []string{
		`1:1: rule "one": the tag can't be read: flag "my-flag": OX reads letters and the digits 1 to 9 only, not '-': mend it`,
		`3:1: rule "two": older OX can't read a tag with spaces between its flags: leave them out`,
		`3:1: rule "two": the id 1 is that of rule "one" too: give it another`,
		`6:1: rule "three": OX takes the tag for a comment: write it as "## Flag: |UniqueId:3|Rulename: three", on a line of its own`,
		`8:1: rule "four": OX takes the tag for a comment: write it as "## Flag: a|UniqueId:4|Rulename: four", on a line of its own`,
		`10:1: rule "left over": the tag can't be read: UniqueId:9999999999 is not a number from 0 to 2147483647: mend it`,
		`10:1: rule "left over": no rule follows the tag: remove it`,
	}},
	{"a tag in a text", "# x\nrequire \"reject\";\nif true { reject \"x\n## Flag: |UniqueId:1|Rulename: none\n\"; }\n", mailfilter.EveryOX,
		[]string{
			`4:1: OX takes this line of a text for the tag of the next rule: put something before it`,
		}},
	{"a disabled rule that is not Sieve", "keep;\n#<!-->if {\n", mailfilter.EveryOX,
		[]string{`2:1: the disabled rule is not Sieve: mend or remove it`}},
	{"a disabled rule that OX can't read", "#<!-->vacation :handle \"x\"\n#<!--> \"y\";\n", mailfilter.EveryOX, []string{
		`1:7: older OX switches on a disabled rule that it can't read when a user saves: leave it out of users' scripts`,
		`1:16: OX doesn't know the tag :handle of vacation: leave it out`,
	}},
	{"a disabled rule behind a quotation mark", "/* don't say \"x */\n#<!-->keep;\nstop;\n", mailfilter.EveryOX, []string{
		`2:1: OX takes the disabled rule, or lines of it, for comments: take out the text: before it, or the quotation mark in a comment`,
	}},
	{"an escape in a comment", "# C:\\users\nkeep;\n", mailfilter.EveryOX,
		[]string{`1:5: OX can't read a script with \u in it: write the "u" without the backslash`}},
	{"what swallows the next rule", "reject \"a\\\\\";\nredirect \"a@b.test\";\n", mailfilter.OX8, []string{
		`1:1: the rule needs the extension "reject", which the script doesn't require: no server runs the script, until OX 8 adds the entry when a user saves: add "reject", or take the rule out`,
		`1:8: OX 8 takes a string that ends with a backslash for one that goes on to the next quotation mark: end it with another character`,
	}},
	{"an unknown command with a test", "nonsense true;\n", mailfilter.EveryOX,
		[]string{`1:1: OX fails at the test of nonsense: leave it out of users' scripts`}},
}

func TestLint(t *testing.T) {
	for _, c := range wholeScripts {
		problems, err := mailfilter.Lint("", []byte(strings.ReplaceAll(c.src, "\n", "\r\n")), c.ox)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		var got []string
		for _, p := range problems {
			got = append(got, p.String())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", c.name, diff)
		}
	}
	if _, err := mailfilter.Lint("x", []byte("if"), mailfilter.OX8); err == nil {
		t.Error("no error for what is not Sieve")
	}
	if _, err := mailfilter.Lint("x", nil, "7"); err == nil || !strings.Contains(err.Error(), `"older", "8"`) {
		t.Errorf("an unknown generation: %v", err)
	}
}

// TestLintLF: bare LFs make OX cut texts, and lose what it can't read.
func TestLintLF(t *testing.T) {
	for src, want := range map[string]string{
		"keep;\nif HEADER \"a\" \"b\" { keep; }\n":                                          "dropped",
		"keep;\nif header \"a\" \"b\" { keep; }\n":                                          "",
		"if true { reject text:\nI am away.\n.\n; }\n":                                      "altered",
		"if true { reject \"I am\naway.\"; }\n":                                             "",
		"if true { reject text:\nA\n.\n; }\n":                                               "unreadable",
		"if true { reject text:\nI am\n.\n; reject text:\nyou are\n.\n; }\n":                "altered",
		"if true { reject text:\nI am\n\n.\n; reject text:\nyou are\n.\n; }\n":              "swallowed",
		"if true { reject text:\nI am\n.\n; }\n#<!-->keep;\n":                               "dropped",
		"if true { reject text:\r\nI am\r\n.\r\n; }\r\n#<!-->keep;\r\n":                     "",
		"if true { reject text:\r\nsay \"x\r\n.\r\n; }\r\n/* \" */\r\n#<!-->keep;\r\nkeep;": "dropped",
	} {
		src = strings.ReplaceAll("# x\nrequire \"reject\";\n", "\n", map[bool]string{true: "\r\n", false: "\n"}[strings.Contains(src, "\r")]) +
			src
		if got := worst(t, src, mailfilter.EveryOX); got != want {
			t.Errorf("%q: %q, want %q", src, got, want)
		}
	}
}
